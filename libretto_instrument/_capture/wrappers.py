"""Around each call: start_call, the bare call, and handing back what came of it.

The two drivers are one life cycle; they differ by waiting.
"""

from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache, partial
from inspect import isawaitable
from typing import Any, Protocol

from .._config.config import parse_call_params
from .._config.fields import Overrides
from .._config.scope import Scope
from .._util import errors
from . import raw
from .call import Call, Recorder, start_call, start_unrecorded
from .detours import in_flight
from .endpoints.table import Endpoint
from .exchange import current_exchange
from .proxies import Proxy, proxy_class
from .streams import recorded

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


class Toggle(Protocol):
    """What a wrapper is told by its patch.

    Attributes:
        enabled: Whether it records; disabled, it only takes ``libretto=`` away.
        is_over_foreign: Whether it wraps a method that is not openai's own.
    """

    enabled: bool
    is_over_foreign: bool


def wrap_sync(endpoint: Endpoint, recorder: Recorder, switch: Toggle) -> Wrapper:
    """Return the wrapper for a method that answers at once."""

    def drive(
        wrapped: Any, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given = _pop_libretto_kwarg(kwargs) if "libretto" in kwargs else None
        client = getattr(resource, "_client", None)
        call = start_call(endpoint, recorder, client, given) if switch.enabled else None
        if call is None:
            unrecorded = start_unrecorded(client) if switch.enabled else None
            if unrecorded is None:
                return wrapped(*args, **kwargs)
            try:
                return wrapped(*args, **kwargs)
            finally:
                current_exchange.set(unrecorded.outer)
                unrecorded.client = unrecorded.outer = None
        call.start(kwargs)
        exchange = call.exchange
        if switch.is_over_foreign:
            in_flight[id(call)] = call
        try:
            result = wrapped(*args, **kwargs)
        except BaseException as exc:
            call.on_error(exc)
            raise
        finally:
            current_exchange.set(exchange.outer)
            exchange.client = exchange.outer = None
            if in_flight:
                in_flight.pop(id(call), None)
        return finish(call, result)

    return drive


def wrap_async(endpoint: Endpoint, recorder: Recorder, switch: Toggle) -> Wrapper:
    """Return the wrapper for a method whose answer is awaited.

    The settings are those of the moment of the call; the snapshot and the clock are
    those of the moment it is awaited, which is when openai reads its arguments.
    """

    def drive(
        wrapped: Any, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given = _pop_libretto_kwarg(kwargs) if "libretto" in kwargs else None
        client = getattr(resource, "_client", None)
        call = start_call(endpoint, recorder, client, given) if switch.enabled else None
        # Called here and awaited below: wrong arguments are refused at once.
        awaitable = wrapped(*args, **kwargs)
        if not switch.enabled or not isawaitable(awaitable):
            return awaitable  # It may be a test's stand-in.
        if call is None:
            return await_unrecorded(client, PendingAwaitable(awaitable))
        return answer(call, PendingAwaitable(awaitable), kwargs)

    async def await_unrecorded(client: Any, unstarted: PendingAwaitable) -> Any:
        unrecorded = start_unrecorded(client)
        try:
            return await unstarted.awaitable
        finally:
            if unrecorded is not None:
                current_exchange.set(unrecorded.outer)
                unrecorded.client = unrecorded.outer = None

    async def answer(
        call: Call, unstarted: PendingAwaitable, kwargs: dict[str, Any]
    ) -> Any:
        call.start(kwargs)
        exchange = call.exchange
        if switch.is_over_foreign:
            in_flight[id(call)] = call
        try:
            result = await unstarted.awaitable
        except BaseException as exc:
            call.on_error(exc)
            raise
        finally:
            current_exchange.set(exchange.outer)
            exchange.client = exchange.outer = None
            if in_flight:
                in_flight.pop(id(call), None)
        return finish(call, result, is_async=True)

    return drive


def wrap_stream_helper(
    endpoint: Endpoint, recorder: Recorder, switch: Toggle
) -> Wrapper:
    """Return the wrapper for a method that makes its request through another.

    It is not recorded itself; it only carries ``libretto=`` to the one that is.
    """

    def drive(
        wrapped: Any, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        given = _pop_libretto_kwarg(kwargs) if "libretto" in kwargs else None
        if given is None or not switch.enabled:
            return wrapped(*args, **kwargs)
        with Scope(given):
            # The async helper makes its call here, the sync one when it is entered.
            manager = wrapped(*args, **kwargs)
            kind: type = type(manager)
            return proxy_class(ScopedStreamManager, kind)(manager, given)

    return drive


class PendingAwaitable:
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

    def __init__(self, manager: Any, given: Overrides) -> None:
        super().__init__(manager)
        self._self_given = given


class ScopedStreamManager(_Carrying):
    """A stream manager that is entered in the scope of its call's settings."""

    __slots__ = ()

    def __enter__(self) -> Any:
        with Scope(self._self_given):
            return self.__wrapped__.__enter__()


def finish(call: Call, result: Any, *, is_async: bool = False) -> Any:
    """Return what openai returned, having recorded it, or a stream that will be.

    Never raises: whatever happens in here, the caller gets the answer.

    Args:
        call: The call.
        result: What openai returned.
        is_async: Whether it was awaited, and so is what it brings.
    """
    try:
        kind: type = type(result)
        says = result.__class__
        if kind is says and hasattr(kind, "model_dump"):
            call.on_response(result)
            return result
        streams = call.request.get("stream") is True
        form = _classify_result(kind, says, is_async, streams)
        return _HANDLERS[form](call, result)
    except Exception as exc:
        errors.log_internal_error(exc, "capture.finish")
        return result


def _pop_libretto_kwarg(kwargs: dict[str, Any]) -> Overrides | None:
    """Take ``libretto=`` out of the arguments; openai must never see it.

    Raises:
        TypeError: It has a field that is unknown or of the wrong type: the programmer's
            mistake, told before anything is sent.
    """
    libretto: Any = kwargs.pop("libretto")
    return None if libretto is None else parse_call_params(libretto)


@lru_cache(maxsize=256)
def _classify_result(kind: type, says: type, is_async: bool, streams: bool) -> str:
    """Return which form of answer an object is. By its endpoint: openai's classes move.

    Args:
        kind: Its type.
        says: The class that it says it is of, as proxies do.
        is_async: Whether it was awaited.
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
    if is_awaited and (is_async or not is_read):  # Some patchers' streams can do both.
        return "async stream"
    return "stream" if is_read else "text"


_MOCKS = frozenset(("unittest.mock", "mock", "mock.mock"))


def _is_openais(kind: type) -> bool:
    return any(base.__module__.startswith("openai.") for base in kind.__mro__)


def _raw_response(call: Call, result: Any) -> Any:
    raw.capture_raw_response(call, result)
    return result


def _text(call: Call, result: Any) -> Any:
    call.on_text_response(result)
    return result


def _model(call: Call, result: Any) -> Any:
    call.on_response(result)
    return result


_HANDLERS: Mapping[str, Callable[[Call, Any], Any]] = {
    "model": _model,
    "raw": _raw_response,
    "stream": partial(recorded, is_async=False),
    "async stream": partial(recorded, is_async=True),
    "text": _text,
}
