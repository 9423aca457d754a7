"""An OpenAI-compatible server on loopback whose every answer the test writes.

with ScriptedModel() as server:
    server.answer(completion("hello"))          # the next request gets this
    wire = server.wire()                        # the one after it: a stream, by hand
    stream = client.chat.completions.create(..., stream=True)
    wire.send(chunk("he"))                      # nothing more is sent until told to
    wire.done()
    assert server.requests[0].body == b"…"
"""

import asyncio
import json
import queue
import socket
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import field, frozen

#: No test waits longer for anything, in seconds.
DEADLINE = 10.0

#: What the error says when a wire is cut; openai 3 has its own for it, others httpx's.
CUT_OFF = "Connection error|peer closed connection"

_END = b""


@frozen
class Request:
    """One request, as it came.

    Attributes:
        path: Where it was sent to.
        body: The bytes.
    """

    path: str
    body: bytes

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@frozen
class _Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = field(factory=dict)


class Wire:
    """A stream of server-sent events; nothing is sent before the test says so.

    Attributes:
        opened: Whether the answer has begun; a silent one has not even a status.
    """

    def __init__(self, *, opened: bool = True) -> None:
        self.opened = opened
        self.pieces: queue.Queue[bytes | None] = queue.Queue()

    def send(self, *events: Any) -> None:
        """Send JSON values, each as an event of its own."""
        for event in events:
            self.raw(b"data: " + json.dumps(event).encode() + b"\n\n")

    def raw(self, data: bytes) -> None:
        """Send bytes as they are."""
        self.pieces.put(data)

    def done(self) -> None:
        """Send ``[DONE]`` and end the answer."""
        self.raw(b"data: [DONE]\n\n")
        self.end()

    def end(self) -> None:
        """End the answer, as a gateway does that says no ``[DONE]``."""
        self.pieces.put(_END)

    def cut(self) -> None:
        """Break the connection off in the middle of the answer."""
        self.pieces.put(None)


class ScriptedModel:
    """The server. Answers are given in the order in which the test wrote them.

    Attributes:
        requests: Every request, in the order of arrival.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self._script: queue.Queue[_Answer | Wire] = queue.Queue()
        self._wires: list[Wire] = []
        self._server = _Server(("127.0.0.1", 0), _Exchange)
        self._server.model = self

    def __enter__(self) -> "ScriptedModel":
        threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        ).start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        for wire in self._wires:
            wire.cut()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        """What ``base_url`` takes."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/v1"

    def answer(
        self,
        body: Any,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        times: int = 1,
    ) -> None:
        """Answer the next requests, one by default, with a JSON body or bytes."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = "text/plain" if isinstance(body, bytes) else "application/json"
        for _ in range(times):
            self._script.put(
                _Answer(status, content, {"content-type": kind, **(headers or {})})
            )

    def silence(self) -> None:
        """Leave the next request without an answer until the test is over."""
        self._write(Wire(opened=False))

    def wire(self) -> Wire:
        """Give the next request a stream that the test writes piece by piece."""
        return self._write(Wire())

    def _write(self, wire: Wire) -> Wire:
        self._wires.append(wire)
        self._script.put(wire)
        return wire

    def stream(self, *events: Any, times: int = 1) -> None:
        """Answer the next requests, one by default, with a complete stream."""
        for _ in range(times):
            wire = self.wire()
            wire.send(*events)
            wire.done()

    def take(self, request: Request) -> "_Answer | Wire":
        """Note a request and return its answer."""
        self.requests.append(request)
        try:
            return self._script.get_nowait()
        except queue.Empty:
            return _Answer(500, b'{"error": {"message": "nothing is scripted"}}')


async def until(holds: Callable[[], object]) -> None:
    """Let other tasks run until a condition holds.

    Raises:
        AssertionError: If it does not in time.
    """
    over = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < over, "waited in vain"
        await asyncio.sleep(0.001)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    model: ScriptedModel

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves in the middle of a stream is not an error here."""


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        answer = self.server.model.take(Request(self.path, body))
        if isinstance(answer, Wire):
            self._follow(answer)
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    do_GET = do_POST  # noqa: N815 - as the base class spells it

    def _follow(self, wire: Wire) -> None:
        if wire.opened:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
        while (piece := wire.pieces.get()) is not None:
            self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            if piece == _END:
                return
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args: object) -> None:
        """Say nothing."""
