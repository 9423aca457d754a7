"""Records model calls that reach the client without passing a patched method.

Every request of openai's passes through the client's ``request()``. A method that was
looked up before `install()`, a client that another library wrapped, and
``client.post("/chat/completions", …)`` are only seen here. Requests of calls that a
patched method already records pass on untouched.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from functools import wraps
from types import FunctionType
from typing import TYPE_CHECKING, Any

from .._util import errors
from .._util.json import decode
from . import background
from .call import Call, start_call
from .detours import detours, is_detour
from .endpoints.table import ENDPOINTS, Endpoint
from .exchange import current_exchange
from .record import Recorder
from .wrappers import finish

if TYPE_CHECKING:
    from .patch import Patch

_BY_PATH = {endpoint.path: endpoint for endpoint in ENDPOINTS.values()}

_RESPONSE_ARGUMENTS = (
    *("self", "cast_to", "options", "response"),
    *("stream", "stream_cls", "retries_taken"),
)

#: What may stand before an endpoint's path: a host, or a deployment of Azure's.
_PREFIX = re.compile(r"https?://.*|/?((openai|v\d+|deployments/[^/]+)/?)*", re.DOTALL)

#: Longest path that is looked at, in characters.
_MAX_PATH_LENGTH = 2_000


def wrap_request(original: Any, recorder: Recorder, patch: "Patch") -> Any:
    """Return what stands in place of ``SyncAPIClient.request``."""
    send = _callable(original)

    @wraps(original)
    def request(
        self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any
    ) -> Any:
        exchange = current_exchange.get()
        is_taken = exchange is not None and exchange.client is self
        call = None if is_taken else _start(recorder, patch, self, options)
        if call is None:
            return send(self, cast_to, options, *args, **kwargs)
        with call:
            result = send(self, cast_to, options, *args, **kwargs)
        return finish(call, result)

    return request


def wrap_async_request(original: Any, recorder: Recorder, patch: "Patch") -> Any:
    """Return what stands in place of ``AsyncAPIClient.request``."""
    send = _callable(original)

    @wraps(original)
    async def request(
        self: Any, cast_to: Any, options: Any, *args: Any, **kwargs: Any
    ) -> Any:
        exchange = current_exchange.get()
        is_taken = exchange is not None and exchange.client is self
        call = None if is_taken else _start(recorder, patch, self, options)
        if call is None:
            return await send(self, cast_to, options, *args, **kwargs)
        with call:
            result = await send(self, cast_to, options, *args, **kwargs)
        return finish(call, result)

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


def _start(
    recorder: Recorder, patch: "Patch", client: Any, options: Any
) -> Call | None:
    """Return the call that a request makes of a model, or None. Never raises."""
    if not patch.enabled:
        return None
    try:
        endpoint = _find_endpoint(options)
        if endpoint is None:
            if not background.is_waiting():
                return None
            followed = background.follow(client, options)
            return None if followed is None else Call(*followed, {})
        arguments = _read_arguments(options)
        if detours and is_detour(client, endpoint, arguments):
            return None
        return start_call(endpoint, recorder, client, None, arguments)
    except Exception as exc:
        errors.log_internal_error(exc, "capture.request")
        return None


def _find_endpoint(options: Any) -> Endpoint | None:
    """Return the endpoint that a request goes to, by its path."""
    if options.method.lower() != "post":
        return None
    url = str(options.url)
    return _BY_PATH.get(url) or _match_path(url[:_MAX_PATH_LENGTH])


def _match_path(url: str) -> Endpoint | None:
    """Return the endpoint of a URL with a host, a version, a deployment or a query."""
    path = url.partition("?")[0].partition("#")[0].rstrip("/")
    for suffix, endpoint in _BY_PATH.items():
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


def wrap_process_response(original: Any, recorder: Recorder, patch: "Patch") -> Any:
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


def wrap_connect(original: Any, recorder: Recorder, patch: "Patch") -> Any:
    """Return what stands in place of ``responses.connect()``.

    Calls over its WebSocket are not recorded, which is said once.
    """
    connect = _callable(original)

    @wraps(original)
    def warn_and_connect(self: Any, *args: Any, **kwargs: Any) -> Any:
        if patch.enabled:
            errors.warn_once(
                "connect",
                "Responses that are created over the WebSocket of responses.connect() "
                "are not recorded.",
            )
        return connect(self, *args, **kwargs)

    return warn_and_connect
