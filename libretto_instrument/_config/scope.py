"""Configuration that holds inside a ``with`` block, a task or a function.

The current scope is a contextvar, so it follows asyncio tasks and threads started in a
`contextvars.copy_context()`, and one task's scope is invisible to another.
"""

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define, field

from .fields import Given, LibrettoConfig, ScopeFields, scope_given
from .settings import Settings, merge

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

_Function = TypeVar("_Function", bound=Callable[..., Any])


@define(eq=False, repr=False)
class Resolved:
    """Settings worked out once, for calls that set nothing themselves.

    Attributes:
        base: What was installed and what the environment says, as it went in.
        config: The client's configuration, as it went in.
        given: All of these and the scope's fields, merged.
        settings: The same, as it is used.
        wanted: These settings are for recording: a client's or a scope's own, or
            everyone's.
        recorded: Every call under these settings is recorded: nothing is left to be
            looked at.
    """

    base: Given
    config: LibrettoConfig | None
    given: Given
    settings: Settings
    wanted: bool
    recorded: bool = field(init=False)

    @recorded.default
    def _is_recorded(self) -> bool:
        settings = self.settings
        return (
            self.wanted
            and settings.enabled
            and settings.has_key
            and settings.has_name
            and settings.sample_rate >= 1
        )


@define(eq=False, repr=False)
class Frame:
    """One entry into a scope.

    Attributes:
        owner: The scope that was entered.
        parent: The frame around this one.
        given: The fields that this scope and those around it set, merged.
        resolved: The settings last worked out inside; kept here because a frame
            belongs to one context.
    """

    owner: "Scope"
    parent: "Frame | None"
    given: Given
    resolved: Resolved | None = None


_current: ContextVar[Frame | None] = ContextVar("libretto_scope", default=None)

#: The frame in whose scope the caller runs, or None.
current = _current.get


class Scope:
    """Settings for every call inside: a context manager, sync or async, or a decorator.

    One object may be entered many times, also by several tasks at once.
    """

    def __init__(self, given: Given) -> None:
        self._given = given

    def __enter__(self) -> "Self":
        _current.set(self._frame_on(current()))
        return self

    def _frame_on(self, parent: Frame | None) -> Frame:
        given = merge(parent.given, self._given) if parent else self._given
        return Frame(self, parent, given)

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # No token: a generator may be closed in another context than it began in,
        # where a token cannot be reset and somebody else's scope must not be, or
        # while a scope that was entered after it still holds.
        frame = current()
        later: list[Scope] = []
        while frame is not None and frame.owner is not self:
            later.append(frame.owner)
            frame = frame.parent
        if frame is None:
            return
        frame = frame.parent
        for owner in reversed(later):
            frame = owner._frame_on(frame)
        _current.set(frame)

    async def __aenter__(self) -> "Self":
        return self.__enter__()

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(exc_type, exc, traceback)

    def __call__(self, function: _Function) -> _Function:
        """Return ``function`` with this scope around each call.

        Raises:
            TypeError: ``function`` is a generator function, whose body runs after the
                call has returned.
        """
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(
            function
        ):
            raise TypeError(
                f"{function.__qualname__} is a generator function, whose body runs "
                "after the call: write `with scope(...):` inside it instead."
            )
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def scoped_coroutine(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return cast(_Function, scoped_coroutine)

        @functools.wraps(function)
        def scoped(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return cast(_Function, scoped)

    def _again(self) -> "Scope":
        """Return the scope that one call of a decorated function runs in."""
        return self


#: The calls that a hook, a redactor or an exporter makes of a model are not the
#: program's.
UNRECORDED = Scope({"enabled": False})


def scope(**fields: "Unpack[ScopeFields]") -> Scope:
    """Return a scope that sets ``fields`` for every call inside it.

    Scopes nest: an inner one wins field by field, and ``context`` and
    ``template_params`` are merged key by key.

    Args:
        **fields: Any field of `LibrettoConfig` or `LibrettoCreateParams`, but for
            ``event_id``, which is one call's own.

    Raises:
        TypeError: There is no such field, or it has the wrong type.
    """
    return Scope(scope_given(fields))
