"""One keep-alive HTTP/1.1 connection, over `socket` and `ssl`.

It speaks as much HTTP as a POST to one endpoint needs, with a bound on everything that
comes back. `http.client` costs several times as much CPU for each request, and the
libraries of openai must not be imported here: its calls look for them among the loaded
modules, and fail on one that is loaded in part.
"""

import contextlib
import os
import platform
import select
import socket
import ssl
import sys
from base64 import b64encode
from typing import Any

from attrs import define, field, frozen

from .clock import monotonic
from .endpoint import Endpoint

#: At most this much of an answer's status line and headers is read, in bytes.
MAX_HEAD_BYTES = 64 * 1024
#: At most this much of an answer's body is read, in bytes: it only says why a request
#: was refused.
MAX_BODY_BYTES = 64 * 1024
_CHUNK = 64 * 1024


class ProtocolError(OSError):
    """The server closed the connection without an answer, or answered no HTTP."""


class ProxyError(OSError):
    """The proxy can't be used, or refused to connect."""


@frozen
class Response:
    """An answer.

    Attributes:
        status: The HTTP status.
        headers: By name in lower case; of equal names, the first.
        body: The body, up to `MAX_BODY_BYTES` of it.
    """

    status: int
    headers: dict[str, str]
    body: bytes


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

    def request(
        self, method: str, headers: str, body: bytes, deadline: float
    ) -> Response:
        """Send a request and return the answer.

        Args:
            method: The HTTP method.
            headers: Header lines, each with its line end.
            body: The body.
            deadline: Give up at this time of the monotonic clock.

        Raises:
            OSError: There was no answer in time, or it was not HTTP.
        """
        self._deadline = deadline
        was_used, self.is_reusable = self.is_reusable, False
        try:
            if was_used and not self._is_stale():
                try:
                    return self._exchange(method, headers, body)
                except (ConnectionError, ProtocolError):
                    # The server closed it meanwhile. Nothing of an answer had come, so
                    # most likely it has not seen the request either.
                    if self._buffer:
                        raise
            self.close()
            self._open()
            return self._exchange(method, headers, body)
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
        status, _, _ = self._read_head()
        if not 200 <= status < 300:
            raise ProxyError(f"the proxy answered {status}")
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

    def _exchange(self, method: str, headers: str, body: bytes) -> Response:
        self._buffer.clear()
        head = (
            f"{method} {self._target} HTTP/1.1\r\n{headers}{self._proxy_header}"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode("ascii")
        if len(body) < _CHUNK:
            self._send(head + body)
        else:
            self._send(head)
            self._send(body)
        status, version, received = self._read_head()
        ends = self._read_body(method, status, received)
        connection = received.get("connection", "").lower()
        keeps = "close" not in connection if version else "keep-alive" in connection
        self.is_reusable = ends and keeps
        if self.is_reusable:
            self.used_at = monotonic()
        else:
            self.close()
        return Response(status, received, self._body)

    _body: bytes = b""

    def _send(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            # Not sendall(): its time-out is for all of it, however much that is.
            self._socket.settimeout(self._limit(self.timeout))
            view = view[self._socket.send(view[: 4 * _CHUNK]) :]

    def _receive(self) -> bytes:
        self._socket.settimeout(self._limit(self.timeout))
        data: bytes = self._socket.recv(_CHUNK)
        return data

    def _limit(self, timeout: float) -> float:
        left = min(timeout, self._deadline - monotonic())
        if left <= 0:
            raise TimeoutError("timed out")
        return left

    def _read_head(self) -> tuple[int, bool, dict[str, str]]:
        """Return the status, whether it is HTTP/1.1, and the headers."""
        buffer, sought = self._buffer, 0
        while True:
            end = buffer.find(b"\r\n\r\n", max(0, sought - 3))
            if end < 0:
                sought = len(buffer)
                if sought > MAX_HEAD_BYTES or (sought > 4 and buffer[:5] != b"HTTP/"):
                    raise ProtocolError("no HTTP answer")
                data = self._receive()
                if not data:
                    raise ProtocolError("the server closed the connection")
                if not buffer:  # From here on the whole answer has its time.
                    self._deadline = min(self._deadline, monotonic() + self.timeout)
                buffer += data
                continue
            head = bytes(buffer[:end]).decode("latin-1")
            del buffer[: end + 4]
            status, version, headers = _parse_head(head)
            if not 100 <= status < 200:
                return status, version, headers
            sought = 0
            self._interim += end
            if self._interim > MAX_HEAD_BYTES:
                raise ProtocolError("too many interim answers")

    _interim: int = 0

    def _read_body(self, method: str, status: int, headers: dict[str, str]) -> bool:
        """Read the body as far as it is short and quick; say whether it has ended.

        The status is what counts, so a body that breaks off is no failure.
        """
        self._body, self._interim = b"", 0
        if status in (204, 304) or method == "HEAD":
            return not self._buffer
        try:
            if "chunked" in headers.get("transfer-encoding", "").lower():
                return self._read_chunks()
            length = headers.get("content-length", "").strip()
            if not length.isascii() or not length.isdigit() or len(length) > 15:
                self._fill(MAX_BODY_BYTES)
                self._body = bytes(self._buffer[:MAX_BODY_BYTES])
                return False
            size = int(length)
            is_whole = self._fill(min(size, MAX_BODY_BYTES)) and size <= MAX_BODY_BYTES
            self._body = bytes(self._buffer[: min(size, MAX_BODY_BYTES)])
            return is_whole and len(self._buffer) == size
        except OSError:
            return False

    def _fill(self, size: int) -> bool:
        """Receive until the buffer has ``size`` bytes; False if the server ends it."""
        while len(self._buffer) < size:
            data = self._receive()
            if not data:
                return False
            self._buffer += data
        return True

    def _read_chunks(self) -> bool:
        parts: list[bytes] = []
        total, buffer = 0, self._buffer
        while True:
            line = self._read_line()
            size = _parse_chunk_size(line)
            if size < 0 or total + size > MAX_BODY_BYTES:
                self._body = b"".join(parts)
                return False
            if size == 0:
                self._body = b"".join(parts)
                for _ in range(64):  # Trailers, up to an empty line.
                    if not self._read_line():
                        return not buffer
                return False
            if not self._fill(size + 2):
                return False
            parts.append(bytes(buffer[:size]))
            total += size
            del buffer[: size + 2]
            self._body = b"".join(parts)

    def _read_line(self) -> bytes:
        while (end := self._buffer.find(b"\r\n")) < 0:
            if len(self._buffer) > MAX_HEAD_BYTES or not self._fill(
                len(self._buffer) + 1
            ):
                raise ProtocolError("a chunk is cut off")
        line = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        return line


def _parse_chunk_size(line: bytes) -> int:
    """Return a chunk's size; -1 if there is none."""
    digits = line.partition(b";")[0].strip()
    try:
        return int(digits, 16) if digits.isalnum() and len(digits) < 16 else -1
    except ValueError:
        return -1


def _parse_head(head: str) -> tuple[int, bool, dict[str, str]]:
    first, _, rest = head.partition("\r\n")
    version, _, answer = first.partition(" ")
    status = answer[:3]
    if not version.startswith("HTTP/1.") or not (status.isascii() and status.isdigit()):
        raise ProtocolError("no HTTP/1 answer")
    headers: dict[str, str] = {}
    for line in rest.split("\r\n"):
        name, _, value = line.partition(":")
        headers.setdefault(name.strip().lower(), value.strip())
    return int(status), version != "HTTP/1.0", headers


# Trust

_CA_FILES = (
    "/etc/ssl/cert.pem",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/ssl/ca-bundle.pem",
)
_context: Any = None


def ssl_context() -> Any:
    """Return the TLS settings, with the certificates that openai's HTTP library trusts.

    Made once, as that takes 20 ms. Those that the environment names come first; then
    `certifi`'s for `httpx`, and the system's for `httpx2` or where there is no
    `certifi`.

    Raises:
        OSError: What the environment names can't be read.
    """
    global _context
    key = (os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    if _context is None or _context[0] != key:
        context = _make_context(*key)
        context.set_alpn_protocols(["http/1.1"])
        _context = (key, context)
    return _context[1]


def _make_context(cafile: str | None, capath: str | None) -> Any:
    if cafile or capath:
        return ssl.create_default_context(cafile=cafile or None, capath=capath or None)
    if "httpcore2" not in sys.modules:
        try:
            import certifi

            return ssl.create_default_context(cafile=certifi.where())
        except (ImportError, OSError):
            pass
    if platform.system() in ("Windows", "Darwin"):
        try:
            import truststore
        except ImportError:
            return ssl.create_default_context()
        return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509_ca"]:
        paths = ssl.get_default_verify_paths()
        if not paths.capath:  # Certificates in a folder are loaded when needed.
            for path in filter(os.path.isfile, _CA_FILES):
                context.load_verify_locations(path)
                break
    return context
