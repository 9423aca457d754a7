"""The sender that posts to Libretto over HTTP."""

import inspect
import threading
from collections.abc import Callable, Mapping
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .. import _guard
from .._version import __version__
from . import _life
from ._address import Address
from ._answer import explain
from ._message import Message
from ._retry import parse_retry_after
from ._sender import Outcome

if TYPE_CHECKING:
    import httpx

#: So much of an answer is read, in bytes. It tells us nothing but an error's reason.
ANSWER_LIMIT = 64 * 1024
#: A connection that was idle for longer is not used again, in seconds.
KEEPALIVE = 30.0


@frozen
class _Line:
    """Where messages of one kind go, with all that can be made ahead."""

    url: "httpx.URL"
    headers: "httpx.Headers"
    transport: "httpx.HTTPTransport"


@frozen
class _Exchange:
    """The open connections of this process."""

    lines: Mapping[str, _Line]
    request: "type[httpx.Request]"
    handle: "Callable[[httpx.HTTPTransport, httpx.Request], httpx.Response]"
    failures: tuple[type[Exception], ...]


class HttpSender:
    """Posts messages over keep-alive connections, with retries left to others.

    It drives ``httpx.HTTPTransport`` rather than ``httpx.Client``, which costs about
    half the CPU and which other instrumentation would watch: our posts must not turn
    up among the user's own requests. What the client would add and we need (proxies)
    is done here; what it would add and we must not have (redirects) is not.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        *,
        connect_timeout: float = 5.0,
        timeout: float = 10.0,
    ) -> None:
        """Make a sender that has not connected to anything yet.

        Args:
            urls: The address for each kind of message.
            connect_timeout: For how many seconds to try to connect.
            timeout: How many seconds may pass between two pieces of the request or
                of the answer, and from the first piece of the answer to its last.

        Raises:
            ValueError: If an address is none that can be posted to.
        """
        self._addresses = {kind: Address.parse(url) for kind, url in urls.items()}
        for address in self._addresses.values():
            if address.exposed:
                _guard.warn_once(
                    f"delivery.plain:{address.host}",
                    "Events go to Libretto at %s over plain http: prompts and the API "
                    "key can be read on the way. Use an https address.",
                    address.host,
                )
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._patience = time_limits(connect_timeout, timeout)
        self._opening = threading.Lock()
        self._exchange: _Exchange | None = None
        self._warm = False
        _life.reset_after_fork(self)

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        """Post the message once.

        Args:
            message: What to post.
            timeout: Give up after so many seconds, if that is sooner than usual.

        Returns:
            Delivered for any 2xx, whatever the answer's body. To be retried for
            connection errors, time-outs, 408, 429 and 5xx. Rejected for the rest,
            redirects included, with a warning.
        """
        if self._warm:
            return self._post(message, timeout)
        # The first exchange imports one thing after another, up to the codec for the
        # host's name.
        with _life.no_fork.importing:
            outcome = self._post(message, timeout)
        self._warm = outcome.status is not None
        return outcome

    def _post(self, message: Message, timeout: float | None) -> Outcome:
        exchange = self._exchange or self._open()
        line = exchange.lines.get(message.kind)
        if line is None:
            return Outcome(delivered=False, error=f"no address for {message.kind}")
        patience, limit = self._patience, self._timeout
        if timeout is not None:
            # To connect, to be answered and to read the answer each take a share.
            limit = min(limit, max(0.0, timeout) / 3)
            patience = time_limits(min(self._connect_timeout, limit), limit)
        request = exchange.request(
            "POST",
            line.url,
            headers=line.headers,
            content=message.body,
            extensions=patience,
        )
        try:
            response = exchange.handle(line.transport, request)
        except exchange.failures as exc:
            return Outcome(delivered=False, retry=True, error=type(exc).__name__)
        status = response.status_code
        answer = _read(response, exchange.failures, limit)
        if 200 <= status < 300:
            return Outcome(delivered=True, status=status)
        if status in (408, 429) or status >= 500:
            return Outcome(
                delivered=False,
                retry=True,
                status=status,
                error=f"HTTP {status}",
                retry_after=parse_retry_after(
                    response.headers.get("retry-after"), time()
                ),
            )
        _warn_of_rejection(status, message, answer)
        return Outcome(delivered=False, status=status, error=f"HTTP {status}")

    def close(self) -> None:
        """Close the connections."""
        with self._opening:
            exchange, self._exchange = self._exchange, None
        if exchange is not None:
            for transport in {line.transport for line in exchange.lines.values()}:
                transport.close()

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections to the parent."""
        # Not closed, only let go of: to close them politely would end them for the
        # parent, and their locks may be held by threads that no longer exist.
        self._opening = threading.Lock()
        self._exchange = None

    def _open(self) -> _Exchange:
        with self._opening:
            if self._exchange is None:
                self._exchange = connect(self._addresses)
            return self._exchange


def time_limits(connect: float, between: float) -> dict[str, Any]:
    """Return a request's extension that limits it, in seconds."""
    limits = {"connect": connect, "read": between, "write": between, "pool": between}
    return {"timeout": limits}


def _http_library() -> Any:
    """Return the HTTP library that openai uses, loaded by openai if it is in use.

    Loading the other one here would break the user's calls: each call of openai 3 looks
    for ``httpx`` among the loaded modules, and fails on one that is half loaded.
    """
    # Here and not above: it takes some 20 ms and 3 MB, which who sends nothing is
    # spared, and who sends does not wait for.
    try:
        import httpx2
    except ImportError:
        import httpx

        return httpx
    return httpx2


def connect(addresses: Mapping[str, Address]) -> _Exchange:
    """Make ready to reach addresses by the way that the environment says."""
    http = _http_library()
    limits = http.Limits(max_keepalive_connections=None, keepalive_expiry=KEEPALIVE)
    transports: dict[tuple[str | None, bool], httpx.HTTPTransport] = {}
    lines = {}
    for kind, address in addresses.items():
        proxy = address.proxy()
        route = (proxy, address.secure)
        if route not in transports:
            transports[route] = http.HTTPTransport(
                # The trust store takes 20 ms and 2 MB to load, for nothing if no TLS
                # will be spoken. An empty one in its place would trust nobody.
                verify=True if _needs_tls(address, proxy) else _empty_trust_store(),
                proxy=None if proxy is None else http.Proxy(proxy),
                limits=limits,
            )
        lines[kind] = _Line(
            url=http.URL(address.url),
            headers=http.Headers(
                {
                    "Host": address.netloc,
                    "Accept": "application/json",
                    # Nothing compressed, hence nothing that could blow up.
                    "Accept-Encoding": "identity",
                    "Content-Type": "application/json",
                    "User-Agent": f"libretto-instrument/{__version__}",
                }
            ),
            transport=transports[route],
        )
    return _Exchange(
        lines=lines,
        request=http.Request,
        # Beneath whatever tracing tools have wrapped around it.
        handle=inspect.unwrap(http.HTTPTransport.handle_request),
        failures=(http.TransportError, OSError),
    )


def _needs_tls(address: Address, proxy: str | None) -> bool:
    return address.secure or (proxy is not None and proxy.startswith("https:"))


def _empty_trust_store() -> Any:
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _warn_of_rejection(status: int, message: Message, answer: bytes) -> None:
    if status in (401, 403):
        _guard.warn_once(
            "delivery.key",
            "Libretto refuses the API key (HTTP %d): nothing is recorded. Check "
            "LIBRETTO_API_KEY, or the api_key given in its place.",
            status,
        )
    elif 300 <= status < 400:
        _guard.warn_once(
            "delivery.redirect",
            "Libretto's address answers with a redirect (HTTP %d), which is not "
            "followed. Set LIBRETTO_API_PREFIX to the address it leads to.",
            status,
        )
    else:
        _guard.warn_once(
            f"delivery.rejected:{status}",
            "Libretto rejects a message of kind %s (HTTP %d%s). It is not sent again.",
            message.kind,
            status,
            explain(answer, message.body),
        )


def _read(
    response: "httpx.Response", failures: tuple[type[Exception], ...], limit: float
) -> bytes:
    """Read an answer's body as far as it is short, quick and whole.

    A connection whose answer was not read to its end is closed, not used again.
    """
    deadline = monotonic() + limit
    pieces: list[bytes] = []
    size = 0
    stream: Any = response.stream
    try:
        for piece in stream:
            pieces.append(piece)
            size += len(piece)
            if size > ANSWER_LIMIT or monotonic() > deadline:
                break
    except failures:
        pass  # The status has come, and it is what counts.
    finally:
        stream.close()
    return b"".join(pieces)[:ANSWER_LIMIT]
