"""One keep-alive HTTP/1.1 connection, over `socket` and `ssl`.

It speaks as much HTTP as a POST to one endpoint needs, with a bound on everything that
comes back. `http.client` costs several times as much CPU for each request, and the
libraries of openai must not be imported here: its calls look for them among the loaded
modules, and fail on one that is loaded in part.
"""

import contextlib
import select
import socket
import ssl
from base64 import b64encode
from typing import Any

from attrs import define, field, frozen

from .._util.clock import monotonic
from .._util.version import __version__
from .endpoint import Endpoint
from .tls import ssl_context

#: At most this much of an answer is read, in bytes: of its head, and of its body. A
#: connection whose answer is longer is closed.
MAX_HEAD_BYTES = MAX_BODY_BYTES = 64 * 1024
_BUFFER_BYTES = 64 * 1024
#: No compressed response is requested, so none can expand beyond the bound.
_HEADERS = (
    "Accept: application/json\r\nAccept-Encoding: identity\r\n"
    "Content-Type: application/json\r\n"
    f"User-Agent: libretto-instrument/{__version__}\r\n"
)


class ProtocolError(OSError):
    """The server closed the connection without an answer, or answered no HTTP."""


class ProxyError(OSError):
    """The proxy can't be used, or refused to connect."""


@frozen
class Response:
    """The head of an answer; what its body says does not matter.

    Attributes:
        status: The HTTP status.
        headers: By name in lower case; of equal names, the first.
        is_http_1_1: Whether the connection stays open unless the server says otherwise.
    """

    status: int
    headers: dict[str, str]
    is_http_1_1: bool

    @classmethod
    def parse(cls, head: str) -> "Response":
        """Parse a status line and headers.

        Raises:
            ProtocolError: It is not HTTP/1.
        """
        first, *lines = head.split("\r\n")
        version, _, rest = first.partition(" ")
        status = rest[:3]
        if not (version.startswith("HTTP/1.") and status.isdecimal()):
            raise ProtocolError("no HTTP/1 answer")
        headers: dict[str, str] = {}
        for line in lines:
            name, _, value = line.partition(":")
            headers.setdefault(name.strip().lower(), value.strip())
        return cls(int(status), headers, version != "HTTP/1.0")


@define(eq=False)
class Connection:
    """A connection to one endpoint, opened by the first request.

    Attributes:
        endpoint: Where it leads.
        connect_timeout: Seconds to connect.
        timeout: Seconds without a byte sent or received, and from the first byte of an
            answer to its last.
        used_at: When the last answer came, by the monotonic clock.
        is_connected: The last request got as far as to connect.
        is_reusable: It is open, and the last answer was read to its end.
    """

    endpoint: Endpoint
    connect_timeout: float
    timeout: float
    used_at: float = 0.0
    is_connected: bool = False
    is_reusable: bool = False
    _socket: Any = None
    _buffer: bytearray = field(factory=bytearray, repr=False)
    # What a proxy for plain http wants in each request.
    _target: str = ""
    _proxy_header: str = ""
    _deadline: float = 0.0

    def request(self, method: str, body: bytes, deadline: float) -> Response:
        """Send a request and return the answer.

        Args:
            method: The HTTP method.
            body: The body: JSON.
            deadline: Give up at this time of the monotonic clock.

        Raises:
            OSError: There was no answer in time, or it was not HTTP.
        """
        self._deadline = deadline
        was_used, self.is_reusable = self.is_reusable, False
        try:
            if was_used and not self._is_stale():
                try:
                    return self._exchange(method, body)
                except (ConnectionError, ProtocolError):
                    # The server closed it meanwhile. Nothing of an answer had come, so
                    # most likely it has not seen the request either.
                    if self._buffer:
                        raise
            self.close()
            self._open()
            return self._exchange(method, body)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        connection, self._socket, self.is_reusable = self._socket, None, False
        if connection is not None:
            with contextlib.suppress(OSError):
                connection.close()

    # Opening

    def _open(self) -> None:
        endpoint, proxy = self.endpoint, self.endpoint.find_proxy()
        self._target, self._proxy_header = endpoint.target, ""
        first = proxy or endpoint
        if proxy is not None and proxy.scheme.startswith("socks"):
            raise ProxyError("SOCKS proxies are not supported")
        if proxy is not None and proxy.is_https and endpoint.is_https:
            raise ProxyError("https through a proxy that is itself reached by https")
        self.is_connected = False
        limit = self._limit(self.connect_timeout)
        self._socket = socket.create_connection((first.host, first.port), limit)
        self.is_connected = True
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if first.is_https:
            self._start_tls(first.host)
        if proxy is None:
            return
        authorization = ""
        if proxy.username or proxy.password:
            credentials = f"{proxy.username}:{proxy.password}".encode()
            authorization = (
                f"Proxy-Authorization: Basic {b64encode(credentials).decode()}\r\n"
            )
        if endpoint.is_https:
            self._connect_through(authorization)
            self._start_tls(endpoint.host)
        else:
            self._target = f"http://{endpoint.netloc}{endpoint.target}"
            self._proxy_header = authorization

    def _connect_through(self, authorization: str) -> None:
        host = self.endpoint.host
        place = f"[{host}]" if ":" in host else host
        place = f"{place}:{self.endpoint.port}"
        self._send(
            f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n{authorization}\r\n".encode()
        )
        deadline = self._deadline
        status = self._read_head().status
        if not 200 <= status < 300:
            raise ProxyError(f"the proxy answered {status}")
        self._deadline = deadline  # The proxy's answer is not the server's.
        self._buffer.clear()

    def _start_tls(self, host: str) -> None:
        self._socket.settimeout(self._limit(self.connect_timeout))
        self._socket = ssl_context().wrap_socket(self._socket, server_hostname=host)

    def _is_stale(self) -> bool:
        """Say whether the server has closed the connection, or spoken unasked."""
        try:
            if hasattr(select, "poll"):
                poll = select.poll()
                poll.register(self._socket, select.POLLIN)
                return bool(poll.poll(0))
            return bool(select.select([self._socket], [], [], 0)[0])
        except (OSError, ValueError):
            return True

    # A request

    def _exchange(self, method: str, body: bytes) -> Response:
        self._buffer.clear()
        head = (
            f"{method} {self._target} HTTP/1.1\r\nHost: {self.endpoint.netloc}\r\n"
            f"{_HEADERS}{self._proxy_header}Content-Length: {len(body)}\r\n\r\n"
        ).encode("ascii")
        try:
            for part in [head + body] if len(body) < _BUFFER_BYTES else [head, body]:
                self._send(part)
        except (ConnectionError, ssl.SSLEOFError):
            # A server that refuses a body may answer and close before it has all of it.
            with contextlib.suppress(OSError):
                response = self._read_head()
                self.close()
                return response
            raise
        response = self._read_head()
        connection = response.headers.get("connection", "").lower()
        stays_open = (
            "close" not in connection
            if response.is_http_1_1
            else "keep-alive" in connection
        )
        if stays_open and self._skip_body(response):
            self.is_reusable, self.used_at = True, monotonic()
        else:
            self.close()
        return response

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            # Not sendall(): its time-out is for all of it, however much that is.
            self._socket.settimeout(self._limit(self.timeout))
            view = view[self._socket.send(view[: 4 * _BUFFER_BYTES]) :]

    def _receive(self) -> None:
        self._socket.settimeout(self._limit(self.timeout))
        data = self._socket.recv(_BUFFER_BYTES)
        if not data:
            raise ProtocolError("the server closed the connection")
        self._buffer += data

    def _limit(self, timeout: float) -> float:
        left = min(timeout, self._deadline - monotonic())
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def _read_head(self) -> Response:
        buffer, total, deadline = self._buffer, 0, self._deadline
        while True:
            while (end := buffer.find(b"\r\n\r\n")) < 0:
                if len(buffer) > MAX_HEAD_BYTES or not b"HTTP/".startswith(buffer[:5]):
                    raise ProtocolError("no HTTP answer")
                is_first = not buffer
                self._receive()
                if is_first:  # From here on the whole answer has its time.
                    self._deadline = min(self._deadline, monotonic() + self.timeout)
            response = Response.parse(buffer[:end].decode("latin-1"))
            del buffer[: end + 4]
            total += end
            if not 100 <= response.status < 200:
                return response
            if total > MAX_HEAD_BYTES:
                raise ProtocolError("too many interim answers")
            self._deadline = deadline  # An interim answer is not yet the answer.

    def _skip_body(self, response: Response) -> bool:
        """Read the body if it is short and quick; say whether it has ended.

        The status is what counts, so a body that breaks off is not a failure.
        """
        if response.status in (204, 304):
            return not self._buffer
        try:
            if "chunked" in response.headers.get("transfer-encoding", "").lower():
                return self._skip_chunks()
            length = response.headers.get("content-length", "")
            if not length.isdecimal() or len(length) > 9:
                return False
            return self._skip(int(length)) and not self._buffer
        except (OSError, ValueError):
            return False

    def _skip(self, size: int) -> bool:
        if size > MAX_BODY_BYTES:
            return False
        while len(self._buffer) < size:
            self._receive()
        del self._buffer[:size]
        return True

    def _skip_chunks(self) -> bool:
        total, size = 0, 1
        while size:
            line = self._read_line().partition(b";")[0].strip()
            if not line.isalnum() or len(line) > 8:
                return False
            size = int(line, 16)
            total += size + len(line)
            if total > MAX_BODY_BYTES or (size and not self._skip(size + 2)):
                return False
        while line := self._read_line():  # Trailers.
            total += len(line)
            if total > MAX_BODY_BYTES:
                return False
        return not self._buffer

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES:
                raise ProtocolError("an endless line")
            self._receive()
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line
