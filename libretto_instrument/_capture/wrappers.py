"""The wrappers around openai's methods: start the call, make it, finish it."""

from collections.abc import Callable, Coroutine
from functools import lru_cache
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Literal

from .._config.config import parse_call_params
from .._config.fields import Overrides
from .._config.scope import Scope
from .._util import errors
from .._util.json import encode
from .call import Call, start_call
from .endpoints.table import Endpoint
from .exchange import Exchange
from .proxies import Proxy, proxy_class
from .record import Recorder
from .streams import record_http_response, record_raw_response, record_stream

if TYPE_CHECKING:
    from .patch import Patch

Wrapper = Callable[[Any, Any, tuple[Any, ...], dict[str, Any]], Any]


def wrap_sync(endpoint: Endpoint, recorder: Recorder, patch: "Patch") -> Wrapper:
    """Return the wrapper for a sync method."""

    def sync_wrapper(
        wrapped: Any, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        overrides = _pop_libretto_kwarg(kwargs) if "libretto" in kwargs else None
        if not patch.enabled:
            return wrapped(*args, **kwargs)
        client = getattr(resource, "_client", None)
        call = start_call(
            endpoint, recorder, client, overrides, kwargs, patch.is_over_foreign
        )
        if call is None:
            with Exchange(client):
                return wrapped(*args, **kwargs)
        with call:
            result = wrapped(*args, **kwargs)
        return finish(call, result)

    return sync_wrapper


def wrap_async(endpoint: Endpoint, recorder: Recorder, patch: "Patch") -> Wrapper:
    """Return the wrapper for an async method.

    The settings are those of the moment of the call; the snapshot and the clock are
    those of the moment it is awaited, which is when openai reads its arguments.
    """

    def async_wrapper(
        wrapped: Any, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        overrides = _pop_libretto_kwarg(kwargs) if "libretto" in kwargs else None
        if not patch.enabled:
            return wrapped(*args, **kwargs)
        client = getattr(resource, "_client", None)
        call = start_call(
            endpoint, recorder, client, overrides, kwargs, patch.is_over_foreign
        )
        # Called here and awaited below: wrong arguments are refused at once.
        awaitable = wrapped(*args, **kwargs)
        if not isawaitable(awaitable):
            return awaitable  # It may be a test's stand-in.
        return await_call(call, client, PendingAwaitable(awaitable))

    async def await_call(
        call: Call | None, client: Any, pending: PendingAwaitable
    ) -> Any:
        if call is None:
            with Exchange(client):
                return await pending.awaitable
        with call:
            result = await pending.awaitable
        return finish(call, result)

    return async_wrapper


def wrap_stream_helper(
    endpoint: Endpoint, recorder: Recorder, patch: "Patch"
) -> Wrapper:
    """Return the wrapper for a method that makes its request through another.

    It is not recorded itself; it only carries ``libretto=`` to the one that is.
    """

    def stream_helper_wrapper(
        wrapped: Any, resource: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        overrides = _pop_libretto_kwarg(kwargs) if "libretto" in kwargs else None
        if overrides is None or not patch.enabled:
            return wrapped(*args, **kwargs)
        with Scope(overrides):
            # The async helper makes its call here, the sync one when it is entered.
            manager = wrapped(*args, **kwargs)
            kind: type = type(manager)
            return proxy_class(ScopedStreamManager, kind)(manager, overrides)

    return stream_helper_wrapper


class PendingAwaitable:
    """Holds what is awaited later, and closes it if it never is.

    A task cancelled before its first step drops the coroutine unawaited; openai's own,
    inside, would warn of that, which it does not on its own.
    """

    __slots__ = ("awaitable",)

    def __init__(self, awaitable: Any) -> None:
        self.awaitable = awaitable

    def __del__(self) -> None:
        if isinstance(self.awaitable, Coroutine):
            self.awaitable.close()


class ScopedStreamManager(Proxy):
    """A stream manager that is entered in the scope of its call's settings."""

    __slots__ = ("_self_overrides",)

    def __init__(self, manager: Any, overrides: Overrides) -> None:
        Proxy.__init__(self, manager)  # `proxy_class` copies this method.
        self._self_overrides = overrides

    def __enter__(self) -> Any:
        with Scope(self._self_overrides):
            return self.__wrapped__.__enter__()


def finish(call: Call, result: Any) -> Any:
    """Record what openai returned, and return it, or a stream that is recorded as read.

    Never raises: whatever happens in here, the caller gets the answer.
    """
    try:
        kind: type = type(result)
        claimed = result.__class__
        if kind is claimed and hasattr(kind, "model_dump"):
            call.on_response(result)
            return result
        is_streaming = call.record.request.get("stream") is True
        form = _classify_result(kind, claimed, is_streaming)
        if form == "stream":
            return record_stream(call, result)
        if form == "model":
            call.on_response(result)
        elif form == "json":
            call.on_json_response(encode(result))
        elif form == "raw":
            record_raw_response(call, result)
        elif form == "http":
            record_http_response(call, result)
        else:
            call.on_text_response(result)
    except Exception as exc:
        errors.log_internal_error(exc, "capture.finish")
    return result


def _pop_libretto_kwarg(kwargs: dict[str, Any]) -> Overrides | None:
    """Remove ``libretto=`` from the arguments; openai must never see it.

    Raises:
        TypeError: It has a field that is unknown or of the wrong type.
    """
    libretto: Any = kwargs.pop("libretto")
    return None if libretto is None else parse_call_params(libretto)


_Form = Literal["http", "json", "model", "raw", "stream", "text"]

_MOCKS = frozenset(("unittest.mock", "mock", "mock.mock"))


@lru_cache(maxsize=256)
def _classify_result(kind: type, claimed: type, is_streaming: bool) -> _Form:
    """Return the form of an answer, by its methods: openai's classes move.

    Args:
        kind: Its type.
        claimed: The class that it claims to have, as proxies do.
        is_streaming: Whether a stream was asked for. Only then is an iterator that is
            not openai's an answer: some patchers make generators of streams.
    """
    if any(base.__module__ in _MOCKS for base in kind.__mro__):
        return "text"  # A test's stand-in, which is to be handed back as it is.
    if hasattr(claimed, "model_dump"):
        return "model"
    if hasattr(claimed, "http_request") and hasattr(claimed, "parse"):
        return "raw"
    # ``client.post(cast_to=…)`` can bring these.
    if kind is dict or kind is list:
        return "json"
    if hasattr(kind, "aiter_bytes") and hasattr(kind, "raise_for_status"):
        return "http"
    if not is_streaming and not _is_of_openai(claimed):
        return "text"
    is_stream = hasattr(claimed, "__next__") or hasattr(claimed, "__anext__")
    return "stream" if is_stream else "text"


def _is_of_openai(kind: type) -> bool:
    return any(base.__module__.partition(".")[0] == "openai" for base in kind.__mro__)
