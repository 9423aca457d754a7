"""An offline model that speaks OpenAI's API on loopback, for demonstrations and tests.

It is no language model and never says that it is: every answer carries the model name
``offline-model`` and follows from the request alone, so that the same request gets the
same answer, ids included. What it can be asked to do is told at ``GET /``.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Iterator, Set
from contextlib import contextmanager
from typing import Any

from attrs import define, field, frozen
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from . import _chat, _completions, _responses, _sse
from ._answers import NAME, Stamp, compact, encode
from ._checks import parse
from ._errors import ApiError, refuse_model
from ._server import serving

#: The time that answers carry unless told otherwise, in Unix seconds: a recorded answer
#: and one made anew are the same.
CREATED = 1_700_000_000

#: How many past responses ``previous_response_id`` may refer to.
_REMEMBERED = 1000

_BROKEN = "The offline model was ordered to break this stream."

_HELP = f"""\
This is the offline model of libretto-instrument. It speaks OpenAI's API on loopback
and is no language model: its answers follow from the request by a few plain rules.

  POST /v1/chat/completions   GET /v1/models
  POST /v1/completions        (/openai/deployments/NAME/… for the Azure clients)
  POST /v1/responses

Any model name is answered by "{NAME}". These do something else:

  offline-error-429      that status; any from 400 to 599
  no-such-model          404, as OpenAI answers for a model it does not have
  offline-stream-error   a stream that says half-way that it failed
  offline-stream-cut     a stream whose connection breaks half-way
  offline-slow           a stream that pauses between its chunks

Tools given are called: the first, or all when the prompt says "in parallel".
"please refuse" in the prompt gets a refusal. A JSON schema gets a document it accepts.
"""

Body = dict[str, Any]


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
) -> Generator[OfflineModel]:
    """Serve the offline model from a background thread while the context is open.

    Args:
        port: The port; 0 takes any that is free.
        host: The address to listen on.
        pause: Seconds between two chunks of a stream.
        created: Unix time that each answer carries, in seconds; None takes the clock's.

    Yields:
        The model, ready to be asked.

    Raises:
        OSError: If the port is taken.
    """
    with serving(create_app(pause=pause, created=created), host, port) as url:
        yield OfflineModel(url)


def create_app(*, pause: float = 0.0, created: int | None = CREATED) -> Starlette:
    """Return the offline model as an ASGI application.

    Args:
        pause: Seconds between two chunks of a stream.
        created: Unix time that each answer carries, in seconds; None takes the clock's.
    """
    model = _Model(pause=pause, created=created)
    chat = Route("/chat/completions", model.endpoint(_CHAT), methods=["POST"])
    text = Route("/completions", model.endpoint(_TEXT), methods=["POST"])
    responses = Route("/responses", model.endpoint(_RESPONSES), methods=["POST"])
    return Starlette(
        routes=[
            Route("/", _help),
            Route("/v1/models", _models),
            Route("/v1/models/{name}", _one_model),
            Mount("/openai/deployments/{deployment}", routes=[chat, text]),
            Mount("/openai", routes=[responses]),
            Mount("/openai/v1", routes=[chat, text, responses]),
            Mount("/v1", routes=[chat, text, responses]),
        ],
        exception_handlers={ApiError: _api_error, HTTPException: _http_error},
    )


@frozen
class _Api:
    """One of OpenAI's APIs.

    Attributes:
        parameters: What a request may hold.
        check: Refuses a request that OpenAI would refuse.
        whole: Makes the answer at once.
        stream: Makes the answer in parts.
        named: Whether each part is an event named after its type.
    """

    parameters: Set[str]
    check: Callable[[Body], None]
    whole: Callable[[Body, Stamp], Body]
    stream: Callable[[Body, Stamp], Iterator[Body]]
    named: bool = False


_CHAT = _Api(_chat.PARAMETERS, _chat.check, _chat.whole, _chat.chunks)
_TEXT = _Api(
    _completions.PARAMETERS,
    _completions.check,
    _completions.whole,
    _completions.chunks,
)
_RESPONSES = _Api(
    _responses.PARAMETERS,
    _responses.check,
    _responses.whole,
    _responses.events,
    named=True,
)


@define
class _Model:
    """What the endpoints share: the settings, and the responses given so far."""

    pause: float
    created: int | None
    _responses: OrderedDict[str, None] = field(factory=OrderedDict)

    def endpoint(self, api: _Api) -> Callable[[Request], Any]:
        """Return the function that answers an API's requests."""

        async def answer(request: Request) -> Response:
            raw = await request.body()
            body = parse(raw, api.parameters)
            refuse_model(body["model"])
            api.check(body)
            created = int(time.time()) if self.created is None else self.created
            stamp = Stamp.of(raw, created)
            if api is _RESPONSES:
                self._remember(body.get("previous_response_id"), stamp.id("resp_"))
            headers = {"x-request-id": stamp.id("req_")}
            if not body.get("stream"):
                return _json(api.whole(body, stamp), headers=headers)
            return StreamingResponse(
                self._frames(api, body, stamp),
                media_type="text/event-stream",
                headers=headers,
            )

        return answer

    def _frames(self, api: _Api, body: Body, stamp: Stamp) -> Any:
        pace = _sse.Pace.of(body["model"], self.pause)
        frames = [
            _sse.frame(part, part["type"] if api.named else None)
            for part in api.stream(body, stamp)
        ]
        if not api.named:
            error = ApiError(_BROKEN, kind="server_error").body()
            ending = _sse.frame(error) if pace.broken else _sse.DONE
        elif pace.broken:
            event = _responses.failed(body, stamp, len(frames) // 2, _BROKEN)
            ending = _sse.frame(event, event["type"])
        else:
            ending = b""
        return _sse.send(frames, ending, pace)

    def _remember(self, previous: str | None, given: str) -> None:
        if previous is not None and previous not in self._responses:
            raise ApiError(
                f"Previous response with id '{previous}' not found.",
                code="previous_response_not_found",
                param="previous_response_id",
            )
        self._responses[given] = None
        while len(self._responses) > _REMEMBERED:
            self._responses.popitem(last=False)


async def _help(request: Request) -> Response:
    return PlainTextResponse(_HELP)


async def _models(request: Request) -> Response:
    return _json({"object": "list", "data": [_model(NAME)]})


async def _one_model(request: Request) -> Response:
    name = request.path_params["name"]
    refuse_model(name)
    return _json(_model(name))


def _model(name: str) -> Body:
    return {
        "id": name,
        "object": "model",
        "created": CREATED,
        "owned_by": "libretto-instrument",
    }


async def _api_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, ApiError)
    return _json(exc.body(), status=exc.status)


async def _http_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    error = ApiError(f"Unknown request URL: {request.method} {request.url.path}.")
    return _json(error.body(), status=exc.status_code)


def _json(
    body: Body, *, status: int = 200, headers: dict[str, str] | None = None
) -> Response:
    return Response(
        encode(compact(body)), status, headers, media_type="application/json"
    )
