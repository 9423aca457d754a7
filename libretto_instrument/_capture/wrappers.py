"""Around each call: begin, the bare call, and handing back what came of it.

The two drivers are one life cycle; they differ by waiting.
"""

from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache, partial
from inspect import isawaitable
from typing import Any, Protocol

from .._config.fields import Given, call_given
from .._config.scope import Scope
from .._util import errors
from . import raw
from .call import Call, Recorder, asking, begin
from .endpoints.table import Shape
from .proxies import Proxy, proxy_class
from .streams import recorded

Driver = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


class Switch(Protocol):
    """Says whether a wrapper records; asleep, it only takes ``libretto=`` away."""

    awake: bool


def sync_driver(shape: Shape, recorder: Recorder, switch: Switch) -> Driver:
    """Return the wrapper for a method that answers at once."""

    def drive(
        wrapped: Any, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given = _taken(kwargs) if "libretto" in kwargs else None
        call = begin(shape, recorder, resource, given) if switch.awake else None
        if call is None:
            return wrapped(*args, **kwargs)
        call.start(kwargs)
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as exc:
            call.failed(exc)
            raise
        finally:
            asking.set(call.outer)
            call.client = call.outer = None
        return hand_back(call, result)

    return drive


def async_driver(shape: Shape, recorder: Recorder, switch: Switch) -> Driver:
    """Return the wrapper for a method whose answer is awaited.

    The settings are those of the moment of the call; the snapshot and the clock are
    those of the moment it is awaited, which is when openai reads its arguments.
    """

    def drive(
        wrapped: Any, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given = _taken(kwargs) if "libretto" in kwargs else None
        call = begin(shape, recorder, resource, given) if switch.awake else None
        # Called here and awaited below: wrong arguments are refused at once.
        awaitable = wrapped(*args, **kwargs)
        if call is None or not isawaitable(awaitable):  # It may be a test's stand-in.
            return awaitable
        return answer(call, Unstarted(awaitable), kwargs)

    async def answer(call: Call, unstarted: Unstarted, kwargs: dict[str, Any]) -> Any:
        call.start(kwargs)
        try:
            result = await unstarted.awaitable
        except BaseException as exc:
            call.failed(exc)
            raise
        finally:
            asking.set(call.outer)
            call.client = call.outer = None
        return hand_back(call, result, waits=True)

    return drive


def helper_driver(shape: Shape, recorder: Recorder, switch: Switch) -> Driver:
    """Return the wrapper for a method that makes its request through another.

    It is not recorded itself; it only carries ``libretto=`` to the one that is.
    """

    def drive(
        wrapped: Any, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given = _taken(kwargs) if "libretto" in kwargs else None
        if given is None or not switch.awake:
            return wrapped(*args, **kwargs)
        with Scope(given):
            # The async helper makes its call here, the sync one when it is entered.
            manager = wrapped(*args, **kwargs)
            kind: type = type(manager)
            return proxy_class(Carrier, kind)(manager, given)

    return drive


class Unstarted:
    """Holds what is awaited later, and closes it if that never comes to pass.

    A task cancelled before its first step drops the coroutine unawaited; openai's own,
    inside, would warn of that, which it does not on its own.
    """

    __slots__ = ("awaitable",)

    def __init__(self, awaitable: Any) -> None:
        self.awaitable = awaitable

    def __del__(self) -> None:
        if isinstance(self.awaitable, Coroutine):
            self.awaitable.close()


class _Carrying(Proxy):
    """What has the settings of a call."""

    __slots__ = ("_self_given",)

    def __init__(self, manager: Any, given: Given) -> None:
        super().__init__(manager)
        self._self_given = given


class Carrier(_Carrying):
    """A stream manager that is entered in the scope of its call's settings."""

    __slots__ = ()

    def __enter__(self) -> Any:
        with Scope(self._self_given):
            return self.__wrapped__.__enter__()


def hand_back(call: Call, result: Any, *, waits: bool = False) -> Any:
    """Return what openai returned, having recorded it, or a stream that will be.

    Never raises: whatever happens in here, the caller gets the answer.

    Args:
        call: The call.
        result: What openai returned.
        waits: Whether it was awaited, and so is what it brings.
    """
    try:
        kind: type = type(result)
        says = result.__class__
        if kind is says and hasattr(kind, "model_dump"):
            call.answered(result)
            return result
        streams = call.request.get("stream") is True
        form = _form(kind, says, waits, streams)
        return _FORMS[form](call, result)
    except Exception as exc:
        errors.swallow(exc, "capture.hand_back")
        return result


def _taken(kwargs: dict[str, Any]) -> Given | None:
    """Take ``libretto=`` out of the arguments; openai must never see it.

    Raises:
        TypeError: It has a field that is unknown or of the wrong type: the programmer's
            mistake, told before anything is sent.
    """
    libretto: Any = kwargs.pop("libretto")
    return None if libretto is None else call_given(libretto)


@lru_cache(maxsize=256)
def _form(kind: type, says: type, waits: bool, streams: bool) -> str:
    """Return which form of answer an object is. By its shape: openai's classes move.

    Args:
        kind: Its type.
        says: The class that it says it is of, as proxies do.
        waits: Whether it was awaited.
        streams: Whether a stream was asked for. Only then is an iterator that is none
            of openai's an answer: some patchers make generators of streams.
    """
    if any(base.__module__ in _MOCKS for base in kind.__mro__):
        return "text"  # A test's stand-in, which is to be handed back as it is.
    if hasattr(says, "model_dump"):
        return "model"
    if hasattr(says, "http_request") and hasattr(says, "parse"):
        return "raw"
    if not streams and not _is_openais(says):
        return "text"
    is_read, is_awaited = hasattr(says, "__next__"), hasattr(says, "__anext__")
    if is_awaited and (waits or not is_read):  # Some patchers' streams can do both.
        return "async stream"
    return "stream" if is_read else "text"


_MOCKS = frozenset(("unittest.mock", "mock", "mock.mock"))


def _is_openais(kind: type) -> bool:
    return any(base.__module__.startswith("openai.") for base in kind.__mro__)


def _raw_response(call: Call, result: Any) -> Any:
    raw.record(call, result)
    return result


def _text(call: Call, result: Any) -> Any:
    call.said(result)
    return result


def _model(call: Call, result: Any) -> Any:
    call.answered(result)
    return result


_FORMS: Mapping[str, Callable[[Call, Any], Any]] = {
    "model": _model,
    "raw": _raw_response,
    "stream": partial(recorded, waits=False),
    "async stream": partial(recorded, waits=True),
    "text": _text,
}
