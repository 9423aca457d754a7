"""A Libretto on loopback that can be told to misbehave.

with Backend() as backend:
    ...point something at backend.url...
    backend.wait_for(1)
    assert backend.events[0]["apiName"] == "greeting"

    backend.answer(status(500))      # from now on
    backend.answer(ok, times=2)      # but the next two
    backend.refuse()                 # nothing listens any more
    backend.recover()                # all is well again
"""

import json
import socket
import ssl
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from attrs import frozen

#: How long the end of open connections is waited for, in seconds.
_PATIENCE = 5.0

PATHS = {"event": "/event", "feedback": "/feedback", "chain": "/v1/updateChain"}


@frozen
class Received:
    """One request, as it came.

    Attributes:
        path: Where it was posted to, without the prefix.
        headers: With names in lower case.
        body: The bytes.
        stored: Whether the backend keeps it.
    """

    path: str
    headers: Mapping[str, str]
    body: bytes
    stored: bool

    @property
    def json(self) -> Any:
        """The body, parsed."""
        return json.loads(self.body)


@frozen
class Answer:
    """A way to answer.

    Attributes:
        give: Writes it.
        stores: Whether the backend keeps what it was sent.
    """

    give: Callable[["Exchange"], None]
    stores: bool = False


class Backend:
    """The server. Its methods may be called from any thread.

    Attributes:
        received: Every request in the order of arrival, refused ones included.
        connections: How many connections there have been.
        interrupted: Set while slow, hanging and endless answers shall come to an end.
    """

    def __init__(self, prefix: str = "/api", tls: ssl.SSLContext | None = None) -> None:
        """Make a backend that does not listen yet.

        Args:
            prefix: What its paths begin with.
            tls: Speak https, as this says.
        """
        self.prefix = prefix
        self.tls = tls
        self.received: list[Received] = []
        self.connections = 0
        self.interrupted = threading.Event()
        self._news = threading.Condition()
        self._always = ok
        self._next: deque[Answer] = deque()
        self._open: set[socket.socket] = set()
        self._server: _Server | None = None
        self._port = 0

    def __enter__(self) -> "Backend":
        self._listen()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.refuse()

    # Where it is

    @property
    def url(self) -> str:
        """The prefix, as ``LIBRETTO_API_PREFIX`` takes it."""
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://127.0.0.1:{self._port}{self.prefix}"

    @property
    def urls(self) -> dict[str, str]:
        """The address of each kind of message."""
        return {kind: self.url + path for kind, path in PATHS.items()}

    # What it got

    @property
    def events(self) -> list[Any]:
        """The bodies of the events that it stored, in the order of arrival."""
        return self.stored("event")

    def stored(self, kind: str) -> list[Any]:
        """The bodies of one kind that it stored, in the order of arrival."""
        with self._news:
            return [
                request.json
                for request in self.received
                if request.stored and request.path == PATHS[kind]
            ]

    def wait_for(self, count: int, timeout: float = 10.0, kind: str = "event") -> None:
        """Wait until a number of them is stored.

        Raises:
            AssertionError: If they are not, after ``timeout`` seconds.
        """
        self.wait_until(lambda: len(self.stored(kind)) >= count, timeout)

    def wait_until(self, arrived: Callable[[], bool], timeout: float = 10.0) -> None:
        """Wait until a condition holds, which is looked at after each request.

        Raises:
            AssertionError: If it does not, after ``timeout`` seconds.
        """
        with self._news:
            if not self._news.wait_for(arrived, timeout):
                got = [(request.path, request.stored) for request in self.received]
                raise AssertionError(f"after {timeout} s only {len(got)} came: {got}")

    # What it does

    def answer(self, answer: Answer, times: int | None = None) -> None:
        """Answer like this: from now on, or a number of times."""
        with self._news:
            if times is None:
                self._always = answer
            else:
                self._next.extend([answer] * times)

    def refuse(self) -> None:
        """Close the port and all connections."""
        self.interrupted.set()
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        with self._news:
            for connection in self._open:
                with suppress(OSError):  # It may be closed already.
                    connection.shutdown(socket.SHUT_RDWR)
            # A request that was read by half would else be taken after the recovery.
            self._news.wait_for(lambda: not self._open, _PATIENCE)

    def recover(self) -> None:
        """Listen again where it listened, answer well, and end what was hanging."""
        with self._news:
            self._always = ok
            self._next.clear()
        self.interrupted.set()
        self.interrupted = threading.Event()
        if self._server is None:
            self._listen()

    # For the server

    def receive(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """Note a request and choose the answer."""
        with self._news:
            answer = self._next.popleft() if self._next else self._always
            stored = answer.stores and bool(body)
            self.received.append(
                Received(path.removeprefix(self.prefix), headers, body, stored)
            )
            self._news.notify_all()
        return answer

    def connected(self, connection: socket.socket) -> None:
        """Note a new connection."""
        with self._news:
            self.connections += 1
            self._open.add(connection)

    def disconnected(self, connection: socket.socket) -> None:
        """Forget a connection."""
        with self._news:
            self._open.discard(connection)
            self._news.notify_all()

    def _listen(self) -> None:
        self.interrupted = threading.Event()
        self._server = server = _Server(("127.0.0.1", self._port), Exchange)
        server.backend = self
        if self.tls is not None:
            server.socket = self.tls.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        self._port = server.server_address[1]
        threading.Thread(
            target=server.serve_forever, args=(0.02,), name="backend", daemon=True
        ).start()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    backend: Backend

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, which is known from the start."""
        self.backend.connected(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """End a connection."""
        super().shutdown_request(request)
        self.backend.disconnected(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients of these tests die in mid-request; that is not an error."""


class Exchange(BaseHTTPRequestHandler):
    """One connection, as answers see it."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    server: _Server

    @property
    def interrupted(self) -> threading.Event:
        """Set when a long answer shall end."""
        return self._interrupted

    def setup(self) -> None:
        super().setup()
        self._interrupted = self.server.backend.interrupted

    def finish(self) -> None:
        with suppress(OSError):  # The client may have gone first.
            super().finish()

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length)
        if len(body) < length:
            # The client is gone, killed perhaps; no server keeps half a request.
            self.close_connection = True
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._interrupted = self.server.backend.interrupted
        answer = self.server.backend.receive(self.path, headers, body)
        try:
            answer.give(self)
        except OSError:
            self.close_connection = True

    def do_OPTIONS(self) -> None:
        # Whatever it would answer to a message; but there is nothing to store.
        self.do_POST()

    def respond(
        self,
        code: int,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        *,
        claimed_length: int | None = None,
    ) -> None:
        """Write an answer, whose claimed length may be a lie."""
        self.send_response(code)
        length = len(body) if claimed_length is None else claimed_length
        self.send_header("Content-Length", str(length))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        if length != len(body):
            self.close_connection = True

    def log_message(self, *args: object) -> None:
        """Say nothing."""


# Answers


def _ok(exchange: Exchange) -> None:
    body = json.dumps({"id": "stored", "api_name": "named-by-the-server"}).encode()
    exchange.respond(200, body, {"Content-Type": "application/json"})


def _hang(exchange: Exchange) -> None:
    exchange.interrupted.wait(60)
    exchange.close_connection = True


def _cut(exchange: Exchange) -> None:
    exchange.close_connection = True


def _half(exchange: Exchange) -> None:
    exchange.respond(200, b'{"id": "st', claimed_length=100)


def _garbage(exchange: Exchange) -> None:
    exchange.wfile.write(b"\x16\x03\x01 this is not HTTP\r\n\r\n\x00\xff")
    exchange.close_connection = True


def _endless(exchange: Exchange) -> None:
    exchange.respond(200, claimed_length=10**12)
    while not exchange.interrupted.is_set():
        exchange.wfile.write(b"x" * 65536)


def _drip(exchange: Exchange) -> None:
    exchange.respond(200, claimed_length=10**12)
    while not exchange.interrupted.wait(0.02):
        exchange.wfile.write(b"x")
        exchange.wfile.flush()


#: What a healthy Libretto says.
ok = Answer(_ok, stores=True)
#: Never answer; cut the connection when told to recover.
hang = Answer(_hang)
#: Close the connection without a word.
cut = Answer(_cut)
#: Store, then break off in the middle of the answer.
half = Answer(_half, stores=True)
#: Answer with what is not HTTP at all.
garbage = Answer(_garbage)
#: Store, then answer with a body that never ends.
endless = Answer(_endless, stores=True)
#: Store, then answer one byte at a time, forever.
drip = Answer(_drip, stores=True)


def status(
    code: int, body: object = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Answer with a status and perhaps a JSON body; below 300 it stores."""
    content = b"" if body is None else json.dumps(body).encode()
    return Answer(lambda ex: ex.respond(code, content, headers), stores=code < 300)


def content(body: bytes) -> Answer:
    """Store, but answer with any bytes, JSON or not."""
    return Answer(lambda ex: ex.respond(200, body), stores=True)


def slow(seconds: float) -> Answer:
    """Answer well, but a number of seconds late."""

    def give(exchange: Exchange) -> None:
        exchange.interrupted.wait(seconds)
        _ok(exchange)

    return Answer(give, stores=True)


def redirect(to: str) -> Answer:
    """Send the client elsewhere."""
    return status(307, headers={"Location": to})
