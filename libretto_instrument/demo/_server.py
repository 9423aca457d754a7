"""The offline model: OpenAI's API on loopback, for demonstrations and tests."""

import hashlib
import json
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Set
from contextlib import contextmanager
from typing import Any

import anyio
import uvicorn
from attrs import frozen
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.types import ASGIApp

from . import _chat, _responses
from ._replies import (
    ApiError,
    Exchange,
    Json,
    ModelRequest,
    ReplyFunction,
    count_tokens,
    dump_compact,
    generate_reply,
    raise_for_error_model,
)

#: The default time of responses, so that a repeated response is the same.
CREATED = 1_700_000_000
#: Seconds that the end of `serve_app` waits for the server's thread.
STOP_TIMEOUT = 10.0
#: Seconds between two chunks of the model ``offline-slow``.
_SLOW_DELAY = 0.05
_MAX_CHOICES = 128
_STREAM_ERROR = "This error was requested by the model name offline-stream-error."

_INDEX = """\
This is the offline model of libretto-instrument. It speaks OpenAI's API on loopback
and is not a language model: a few plain rules derive each reply from the request.

  POST /v1/chat/completions   GET /v1/models
  POST /v1/completions        (/openai/deployments/NAME/… for the Azure clients)
  POST /v1/responses

Any model name is answered by "offline-model". These do something else:

  offline-error-429      that status; any from 400 to 599
  no-such-model          404, as OpenAI answers for a model it does not have
  offline-stream-error   a stream that reports an error half-way
  offline-stream-cut     a stream whose connection breaks half-way
  offline-slow           a stream that pauses between its chunks

Tools given are called: the first, or all when the prompt says "in parallel".
"please refuse" in the prompt gets a refusal. A JSON schema gets a matching document.
"""


@frozen
class OfflineModel:
    """A running offline model.

    Attributes:
        url: Its address, such as ``http://127.0.0.1:49152``. The Azure clients take it
            as their ``azure_endpoint``.
    """

    url: str

    @property
    def base_url(self) -> str:
        """The address that an OpenAI client takes as its ``base_url``."""
        return f"{self.url}/v1"


@contextmanager
def offline_model(
    port: int = 0,
    *,
    host: str = "127.0.0.1",
    pause: float = 0.0,
    created: int | None = CREATED,
    reply: ReplyFunction | None = None,
) -> Generator[OfflineModel]:
    """Serve the offline model from a background thread.

    Args:
        port: The port; 0 takes a free one.
        host: The address to listen on.
        pause: Seconds between two chunks of a stream.
        created: The time of each response, in seconds since the epoch; None takes the
            current time.
        reply: Called with everything that was said to the model; returns the text of
            the reply, or None for the default.

    Yields:
        The model, which accepts requests.

    Raises:
        OSError: The port is taken.
    """
    app = create_app(pause=pause, created=created, reply=reply)
    with serve_app(app, host, port) as url:
        yield OfflineModel(url)


@frozen
class _Endpoint:
    """One of OpenAI's APIs.

    A parameter that is not among ``parameters`` is refused, so that one that a wrapper
    of the client lets slip shows at once. With ``has_named_events`` each part of a
    stream is an event named after its type.
    """

    parameters: Set[str]
    read: Callable[[Json], list[ModelRequest]]
    complete: Callable[[Exchange], Json]
    stream: Callable[[Exchange], Iterator[Json]]
    has_named_events: bool = False

    def parse(self, raw: bytes) -> Json:
        """Return a request's body, its parameters' names checked."""
        try:
            body = json.loads(raw)
        except (ValueError, RecursionError):
            body = None
        if not isinstance(body, dict):
            raise ApiError("We could not parse the JSON body of your request.")
        for name in body.keys() - self.parameters - {"stream"}:
            raise ApiError(f"Unrecognized request argument supplied: {name}")
        if not isinstance(body.get("model"), str) or not body["model"]:
            raise ApiError("you must provide a model parameter")
        return body


_CHAT = _Endpoint(_chat.CHAT_PARAMETERS, _chat.read_chat, _chat.complete, _chat.stream)
_TEXT = _Endpoint(_chat.TEXT_PARAMETERS, _chat.read_text, _chat.complete, _chat.stream)
_RESPONSES = _Endpoint(
    *(_responses.PARAMETERS, _responses.read, _responses.complete, _responses.stream),
    has_named_events=True,
)


def create_app(
    *,
    pause: float = 0.0,
    created: int | None = CREATED,
    reply: ReplyFunction | None = None,
) -> Starlette:
    """Return the offline model as an ASGI application; see :func:`offline_model`."""

    def route(path: str, endpoint: _Endpoint) -> Route:
        async def post(request: Request) -> Response:
            raw = await request.body()
            body = endpoint.parse(raw)
            raise_for_error_model(body["model"])
            try:
                requests = endpoint.read(body)
                choices = range(body.get("n") or 1)[:_MAX_CHOICES]
                exchange = Exchange(
                    body,
                    hashlib.sha256(raw).hexdigest(),
                    int(time.time()) if created is None else created,
                    tuple(
                        generate_reply(r, n, reply) for r in requests for n in choices
                    ),
                    sum(count_tokens(each.text) for each in requests),
                )
                headers = {"x-request-id": exchange.make_id("req_")}
                if not body.get("stream"):
                    return _json(endpoint.complete(exchange), headers=headers)
                parts = list(endpoint.stream(exchange))
            except (AttributeError, LookupError, TypeError, ValueError) as exc:
                raise ApiError(f"Invalid request: {exc!r}.") from exc
            frames = _send_stream(endpoint, exchange, parts, pause)
            media_type = "text/event-stream"
            return StreamingResponse(frames, headers=headers, media_type=media_type)

        return Route(path, post, methods=["POST"])

    chat, text = route("/chat/completions", _CHAT), route("/completions", _TEXT)
    responses = route("/responses", _RESPONSES)
    return Starlette(
        routes=[
            Route("/", _get_index),
            Route("/v1/models", _get_models),
            Route("/v1/models/{name}", _get_model),
            Mount("/openai/deployments/{deployment}", routes=[chat, text]),
            Mount("/openai", routes=[responses]),
            Mount("/openai/v1", routes=[chat, text, responses]),
            Mount("/v1", routes=[chat, text, responses]),
        ],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error},
    )


async def _send_stream(
    endpoint: _Endpoint, exchange: Exchange, parts: list[Json], pause: float
) -> AsyncIterator[bytes]:
    """Yield server-sent events, in the way that the model's name asks for."""
    model, is_named = exchange.body["model"], endpoint.has_named_events
    if model == "offline-slow":
        pause = _SLOW_DELAY
    half = len(parts) // 2 if model.startswith("offline-stream-") else len(parts)
    for index, part in enumerate(parts[:half]):
        if index and pause:
            await anyio.sleep(pause)
        yield _frame(part, is_named)
    if model == "offline-stream-cut":
        raise ConnectionError("This was requested by the model name.")
    if model == "offline-stream-error" and is_named:
        yield _frame(_responses.failed(exchange, half, _STREAM_ERROR), is_named)
    elif model == "offline-stream-error":
        yield _frame(ApiError(_STREAM_ERROR, type="server_error").body(), is_named)
    elif not is_named:
        yield b"data: [DONE]\n\n"


def _frame(data: Json, is_named: bool) -> bytes:
    name = f"event: {data['type']}\n" if is_named else ""
    return f"{name}data: {dump_compact(data)}\n\n".encode("utf-8", "replace")


async def _get_index(request: Request) -> Response:
    return PlainTextResponse(_INDEX)


async def _get_models(request: Request) -> Response:
    return _json({"object": "list", "data": [_model("offline-model")]})


async def _get_model(request: Request) -> Response:
    raise_for_error_model(request.path_params["name"])
    return _json(_model(request.path_params["name"]))


def _model(name: str) -> Json:
    fixed = {"object": "model", "created": CREATED, "owned_by": "libretto-instrument"}
    return {"id": name, **fixed}


async def _api_error(request: Request, exc: Any) -> Response:
    return _json(exc.body(), exc.status)


async def _http_error(request: Request, exc: Any) -> Response:
    error = ApiError(f"Unknown request URL: {request.method} {request.url.path}.")
    return _json(error.body(), exc.status_code)


def _json(body: Json, status: int = 200, headers: Any = None) -> Response:
    # A lone surrogate has no form in UTF-8.
    content = dump_compact(body).encode("utf-8", "replace")
    return Response(content, status, headers, media_type="application/json")


@contextmanager
def serve_app(app: ASGIApp, host: str, port: int) -> Generator[str]:
    """Serve an ASGI application from a background thread, and yield its address.

    Raises:
        OSError: The port is taken.
    """
    listener = socket.create_server((host, port), backlog=128)
    # Every connection takes this over from the listener.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # A connection that is cut on request would be logged as a crash.
    silence: dict[str, Any] = {"log_config": None, "log_level": "critical"}
    config = uvicorn.Config(app, lifespan="off", ws="none", http="h11", **silence)
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, args=([listener],), name="offline-model", daemon=True
    )
    thread.start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        # On Python 3.10, uvicorn was seen to wait forever; its thread is a daemon.
        thread.join(STOP_TIMEOUT)
        if not thread.is_alive():  # uvicorn closes it, too, and may be about to.
            listener.close()
