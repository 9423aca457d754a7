"""Settings for the calls inside a ``with`` block, a task or a function.

The current scope is a context variable: asyncio tasks and threads that run in a
`contextvars.copy_context()` inherit it, and one task's scope is invisible to another.
"""

import functools
import inspect
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar, cast

from attrs import define, field

from .config import LibrettoConfig, ScopeFields, has_name, parse_scope_fields
from .fields import Overrides
from .settings import CallSettings, merge_layers

if TYPE_CHECKING:
    from typing_extensions import Self, Unpack

_F = TypeVar("_F", bound=Callable[..., Any])


@define(eq=False, repr=False)
class ResolvedSettings:
    """Merged settings, kept for the calls that set nothing themselves.

    Attributes:
        process_fields: The process's layer that went in, by identity.
        config: The client's configuration that went in.
        fields: All layers merged.
        settings: The same, ready for use.
        recording_requested: Recording was asked for, by `install()`, the client's
            configuration, or a scope.
        always_recorded: Every call under these settings is recorded, without a further
            check.
    """

    process_fields: Overrides
    config: LibrettoConfig | None
    fields: Overrides
    settings: CallSettings
    recording_requested: bool
    always_recorded: bool = field(init=False)

    @always_recorded.default
    def _is_always_recorded(self) -> bool:
        settings = self.settings
        return (
            self.recording_requested
            and settings.enabled
            and settings.has_api_key
            and settings.has_name
            and settings.sample_rate >= 1
        )


@define(eq=False, repr=False)
class ScopeFrame:
    """One entry into a scope.

    Attributes:
        owner: The scope that was entered.
        parent: The frame of the enclosing scope.
        fields: The fields that this scope and the enclosing ones set, merged.
        resolved: The settings last resolved inside.
    """

    owner: "Scope"
    parent: "ScopeFrame | None"
    fields: Overrides
    resolved: ResolvedSettings | None = None


_current: ContextVar[ScopeFrame | None] = ContextVar("libretto_scope", default=None)

#: Return the innermost scope's frame, or None.
current = _current.get

#: Whether some scope of this process has given prompts a name.
has_named_scopes = False


def run_in_frame(
    frame: ScopeFrame, function: Callable[..., Any], /, *args: Any, **kwargs: Any
) -> Any:
    """Return what ``function`` returns when called in a scope of another context."""
    before = current()
    _current.set(frame)
    try:
        return function(*args, **kwargs)
    finally:
        _current.set(before)


class Scope:
    """Settings for every call inside: a context manager, sync or async, or a decorator.

    One object may be entered many times, also by several tasks at once.
    """

    def __init__(self, fields: Overrides) -> None:
        global has_named_scopes
        self._fields = fields
        if has_name(fields):
            has_named_scopes = True

    def __enter__(self) -> "Self":
        _current.set(self._push(current()))
        return self

    def _push(self, parent: ScopeFrame | None) -> ScopeFrame:
        fields = merge_layers(parent.fields, self._fields) if parent else self._fields
        return ScopeFrame(self, parent, fields)

    def __exit__(self, *exc_info: object) -> None:
        # Not by a token: a generator may be closed in another context than the one it
        # began in, where its token is invalid, or while a scope that was entered later
        # is still active and must stay so.
        frame = current()
        later: list[Scope] = []
        while frame is not None and frame.owner is not self:
            later.append(frame.owner)
            frame = frame.parent
        if frame is None:
            return
        frame = frame.parent
        for owner in reversed(later):
            frame = owner._push(frame)
        _current.set(frame)

    async def __aenter__(self) -> "Self":
        return self.__enter__()

    async def __aexit__(self, *exc_info: object) -> None:
        self.__exit__(*exc_info)

    def __call__(self, function: _F) -> _F:
        """Return ``function`` with this scope around each call.

        Raises:
            TypeError: ``function`` is a generator function, whose body runs after the
                call has returned; or a class, or no function.
        """
        if isinstance(function, type | classmethod) or not callable(function):
            raise TypeError(
                "scope(...) decorates functions and methods, beneath @classmethod, not "
                f"a {type(function).__name__}."
            )
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
                with self._clone():
                    return await function(*args, **kwargs)

            return cast(_F, scoped_coroutine)

        @functools.wraps(function)
        def scoped(*args: Any, **kwargs: Any) -> Any:
            with self._clone():
                return function(*args, **kwargs)

        return cast(_F, scoped)

    def _clone(self) -> "Scope":
        """Return the scope that one call of a decorated function runs in."""
        return self


#: Entered around hooks, redactors and exporters: the model calls that they make are not
#: the program's.
SUPPRESS_RECORDING = Scope({"enabled": False})


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
    return Scope(parse_scope_fields(fields))
