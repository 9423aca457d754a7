"""The lower net: model calls that reach a client around the patched methods.

Every request of openai's passes through the client's ``request()``. A method that was
taken before `install()`, a client that another library wrapped, and
``client.post("/chat/completions", …)`` all come by here, and nowhere else. What a
patched method has taken already passes on untouched.
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping
from functools import wraps
from types import FunctionType
from typing import Any, Protocol

from .._util import errors
from .._util.json import decode, encode
from . import background
from .call import Call, Recorder, start_call
from .detours import in_flight, is_in_flight
from .endpoints.table import CHAT, COMPLETION, DECISIONS, RESPONSES, Endpoint
from .exchange import current_exchange
from .raw import capture_http_response
from .wrappers import finish

_ENDPOINTS: dict[str, Endpoint] = {
    "/chat/completions": CHAT,
    "/completions": COMPLETION,
    "/responses": RESPONSES,
    "/decisions": DECISIONS,
}

_RESPONSE_ARGUMENTS = (
    *("self", "cast_to", "options", "response"),
    *("stream", "stream_cls", "retries_taken"),
)

#: What may stand before an endpoint's path: a host, or a deployment of Azure's.
_PREFIX = re.compile(r"https?://.*|/?((openai|v\d+|deployments/[^/]+)/?)*", re.DOTALL)

#: Longest path that is looked at, in characters.
_MAX_PATH_LENGTH = 2_000


class Switch(Protocol):
    """Says whether a wrapper records."""

    enabled: bool


def wrap_request(original: Any, recorder: Recorder, switch: Switch) -> Any:
    """Return what stands in place of ``SyncAPIClient.request``."""
    send = _callable(original)

    @wraps(original)
    def request(
        self: Any,
        cast_to: Any,
        options: Any,
        *args: Any,
        stream: Any = False,
        stream_cls: Any = None,
        **more: Any,
    ) -> Any:
        exchange = current_exchange.get()
        if exchange is not None and exchange.client is self and not (args or more):
            return send(self, cast_to, options, stream=stream, stream_cls=stream_cls)
        more["stream"], more["stream_cls"] = stream, stream_cls
        call = _start(recorder, self, options) if switch.enabled else None
        if call is None:
            return send(self, cast_to, options, *args, **more)
        try:
            result = send(self, cast_to, options, *args, **more)
        except BaseException as exc:
            call.on_error(exc)
            raise
        finally:
            call.exchange.leave()
        return _finish(call, result, is_async=False)

    return request


def wrap_async_request(original: Any, recorder: Recorder, switch: Switch) -> Any:
    """Return what stands in place of ``AsyncAPIClient.request``."""
    send = _callable(original)

    @wraps(original)
    async def request(
        self: Any,
        cast_to: Any,
        options: Any,
        *args: Any,
        stream: Any = False,
        stream_cls: Any = None,
        **more: Any,
    ) -> Any:
        exchange = current_exchange.get()
        if exchange is not None and exchange.client is self and not (args or more):
            return await send(
                self, cast_to, options, stream=stream, stream_cls=stream_cls
            )
        more["stream"], more["stream_cls"] = stream, stream_cls
        call = _start(recorder, self, options) if switch.enabled else None
        if call is None:
            return await send(self, cast_to, options, *args, **more)
        try:
            result = await send(self, cast_to, options, *args, **more)
        except BaseException as exc:
            call.on_error(exc)
            raise
        finally:
            call.exchange.leave()
        return _finish(call, result, is_async=True)

    return request


def _callable(original: Any) -> Callable[..., Any]:
    """Return a class's own method as a function that takes the client first."""
    if type(original) is FunctionType:
        return original
    if hasattr(type(original), "__get__"):

        def bind(client: Any, *args: Any, **kwargs: Any) -> Any:
            return original.__get__(client, type(client))(*args, **kwargs)

        return bind

    def call(client: Any, *args: Any, **kwargs: Any) -> Any:
        return original(*args, **kwargs)  # A mock, which is not bound.

    return call


def _start(recorder: Recorder, client: Any, options: Any) -> Call | None:
    """Return the started record of a request that calls a model, or None. Never raises.

    Args:
        recorder: Says what is recorded.
        client: The client that sends the request.
        options: The request, as openai describes it.
    """
    try:
        endpoint = _find_endpoint(options)
        if endpoint is None:
            if not background.is_waiting():
                return None
            return background.follow(client, options, sys._getframe(1))
        arguments = _read_arguments(options)
        if in_flight and is_in_flight(client, endpoint, arguments):
            return None
        call = start_call(endpoint, recorder, client, None)
        if call is not None:
            call.start(arguments, sys._getframe(1))
        return call
    except Exception as exc:
        errors.log_internal_error(exc, "capture.request")
        return None


def _find_endpoint(options: Any) -> Endpoint | None:
    """Return the endpoint that a request goes to, by its path."""
    if options.method.lower() != "post":
        return None
    url = str(options.url)
    return _ENDPOINTS.get(url) or _match_path(url[:_MAX_PATH_LENGTH])


def _match_path(url: str) -> Endpoint | None:
    """Return the endpoint of a URL with a host, a version, a deployment or a query."""
    path = url.partition("?")[0].partition("#")[0].rstrip("/")
    for suffix, endpoint in _ENDPOINTS.items():
        if f"/{path}".endswith(suffix):
            prefix = path[: -len(suffix)]
            return endpoint if _PREFIX.fullmatch(prefix) else None
    return None


def _read_arguments(options: Any) -> dict[str, Any]:
    """Return a request's body as the arguments of the method that would make it."""
    body = options.json_data
    if body is None:
        body = getattr(options, "content", None)
    if isinstance(body, str | bytes | bytearray):
        try:
            body = decode(body if isinstance(body, str) else bytes(body))
        except ValueError:
            body = None
    if not isinstance(body, Mapping):
        return {}
    more = getattr(options, "extra_json", None)
    return {**body, "extra_body": more} if more else dict(body)


def _finish(call: Call, result: Any, *, is_async: bool) -> Any:
    """Return what openai returned, as `wrappers.finish` does. Never raises.

    ``client.post(cast_to=…)`` can bring what no method of a resource does.
    """
    try:
        kind = type(result)
        if kind is dict or kind is list:
            call.on_json_response(encode(result))
            return result
        if hasattr(kind, "aiter_bytes") and hasattr(kind, "raise_for_status"):
            capture_http_response(call, result)
            return result
    except Exception as exc:
        errors.log_internal_error(exc, "capture.finish")
        return result
    return finish(call, result, is_async=is_async)


def wrap_process_response(original: Any, recorder: Recorder, switch: Switch) -> Any:
    """Return what stands in place of a client's ``_process_response``.

    It is handed each response once its headers are there, before anything is made of
    it; here they are kept. The async client's returns an awaitable. None where this
    version's takes other arguments: they are passed on one by one, which takes half the
    time.
    """
    process = _callable(original)
    if tuple(inspect.signature(original).parameters) != _RESPONSE_ARGUMENTS:
        return None

    @wraps(original)
    def process_response(
        self: Any,
        *,
        cast_to: Any,
        options: Any,
        response: Any,
        stream: Any,
        stream_cls: Any,
        retries_taken: Any = 0,
    ) -> Any:
        exchange = current_exchange.get()
        if (
            exchange is not None
            and exchange.client is self
            and exchange.is_around_here()
        ):
            exchange.headers = getattr(response, "headers", None)
            exchange.retries = retries_taken
        return process(
            self,
            cast_to=cast_to,
            options=options,
            response=response,
            stream=stream,
            stream_cls=stream_cls,
            retries_taken=retries_taken,
        )

    return process_response


def wrap_connect(original: Any, recorder: Recorder, switch: Switch) -> Any:
    """Return what stands in place of ``responses.connect()``.

    Calls over its WebSocket are not recorded, which is said once.
    """
    connect = _callable(original)

    @wraps(original)
    def warn_and_connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        if switch.enabled:
            errors.warn_once(
                "connect",
                "Responses that are created over the WebSocket of responses.connect() "
                "are not recorded.",
            )
        return connect(self, *args, **kwargs)

    return warn_and_connect
