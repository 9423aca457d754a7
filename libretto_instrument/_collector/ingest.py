"""The three endpoints that programs post to."""

import asyncio
import hmac
import json
import sqlite3
from collections.abc import Callable

from attrs import define, field
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from . import schema
from .limits import FailureLimit
from .responses import describe_error, json_error
from .schema import RequestError, Row

#: The most bytes of a body.
MAX_BODY_BYTES = 10 * 2**20
#: A larger body is decoded on a thread, so that the others do not wait for it.
INLINE_DECODE_BYTES = 100_000
#: Bytes of all larger bodies that are being received.
MAX_BUFFERED_BYTES = 64 * 2**20
#: Larger bodies that are decoded at once.
_DECODERS = 2

#: Where programs post to; authenticated by the API key in the body.
INGEST_ROUTES: dict[str, tuple[str, Callable[[Row], Row]]] = {
    "/api/event": ("event", schema.parse_event),
    "/api/feedback": ("feedback", schema.parse_feedback),
    "/api/v1/updateChain": ("chain", schema.parse_chain),
}


@define
class BodyReader:
    """Reads the bodies of requests, within bounds for one and for all of them."""

    _buffered: int = field(default=0, init=False)

    async def read(self, scope: Scope, receive: Receive) -> bytes:
        """Read a body.

        Raises:
            RequestError: It is larger than ``MAX_BODY_BYTES``, or there are too many.
        """
        body, reserved = bytearray(), 0
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length[:15]) > MAX_BODY_BYTES:
            raise _too_large()
        try:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientDisconnect
                body += message.get("body", b"")
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
                if len(body) > INLINE_DECODE_BYTES:
                    self._buffered += len(body) - reserved
                    reserved = len(body)
                    if self._buffered > MAX_BUFFERED_BYTES:
                        text = "Too many large bodies at once. Try again."
                        raise RequestError(text, status=429)
                if not message.get("more_body"):
                    return bytes(body)
        finally:
            self._buffered -= reserved


class IngestMiddleware:
    """Answers the posts of programs, and hands all other requests on.

    A program posts for every call of a model, so that they skip the routing. With an
    ``api_key`` no other is accepted.
    """

    def __init__(self, app: ASGIApp, bodies: BodyReader, api_key: str | None) -> None:
        self.app, self.bodies, self.api_key = app, bodies, api_key
        # A body without the key is not decoded.
        forms = (json.dumps(api_key), json.dumps(api_key, ensure_ascii=False))
        self._key_forms = {form.encode() for form in forms}
        self._failures = FailureLimit()
        self._decoders = asyncio.Semaphore(_DECODERS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http" or scope["path"] not in INGEST_ROUTES:
            await self.app(scope, receive, send)
            return
        if scope["method"] != "POST":
            # Feedback can be read, too.
            is_listing = scope["path"] == "/api/feedback"
            await (self.app if is_listing else _method_not_allowed)(
                scope, receive, send
            )
            return
        kind, parse = INGEST_ROUTES[scope["path"]]
        try:
            values = parse(await self._read_document(scope, receive))
            answer = await scope["app"].state.store.put(kind, values)
            response: Response = JSONResponse(answer)
        except (RequestError, sqlite3.Error) as exc:
            response = json_error(describe_error(exc))
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _read_document(self, scope: Scope, receive: Receive) -> Row:
        body = await self.bodies.read(scope, receive)
        if self.api_key and not any(form in body for form in self._key_forms):
            raise self._wrong_key(scope)
        if len(body) <= INLINE_DECODE_BYTES:
            document = schema.decode(body)
        else:
            async with self._decoders:
                document = await run_in_threadpool(schema.decode, body)
        key = document.get("apiKey")
        if not any(isinstance(k, str) and k for k in (key, document.get("projectKey"))):
            text = "apiKey is missing: set LIBRETTO_API_KEY."
            raise RequestError(text, "apiKey", 401)
        expected = self.api_key
        if expected and not hmac.compare_digest(str(key).encode(), expected.encode()):
            raise self._wrong_key(scope)
        return document

    def _wrong_key(self, scope: Scope) -> RequestError:
        self._failures.add(scope)
        if self._failures.is_reached(scope):
            return RequestError("Too many wrong keys. Try again.", "apiKey", 429)
        return RequestError("This collector takes another apiKey.", "apiKey", 401)


async def _method_not_allowed(scope: Scope, receive: Receive, send: Send) -> None:
    error = RequestError("Method Not Allowed.", status=405)
    await json_error(error, {"allow": "POST"})(scope, receive, send)


def _too_large() -> RequestError:
    text = f"The body is larger than {MAX_BODY_BYTES:,} bytes."
    return RequestError(text, status=413)
