"""The connections to Libretto, made of what stands beneath `httpx.Client`."""

import os
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from attrs import define, field, frozen

from .._version import __version__
from ._address import Address

#: A connection that was idle for longer is not used again, in seconds.
KEEPALIVE = 30.0

_URL_CHARACTERS = "/?#[]@:!$&'()*+,;=%~"


@define(eq=False)
class Pool:
    """The connections to one place, each of which one thread at a time has in hand.

    `httpcore` has pools of its own, for any number of places and waiting threads, and
    puts all of a pool's connections and requests in order before each request and after
    it. That is a fifth of a POST's CPU.

    Attributes:
        source: The `httpcore.ConnectionPool` that makes the connections.
        origin: The place, an `httpcore.Origin`.
    """

    source: Any
    origin: Any
    # The one used last at the end. Each step on a deque is one for all threads.
    _idle: deque[Any] = field(factory=deque)
    _closed: bool = False

    def take(self) -> Any:
        """Return a connection for one request, open or yet to be opened.

        Whoever gets it must hand it back.
        """
        while self._idle:
            try:
                connection = self._idle.pop()
            except IndexError:  # Another thread was faster.
                break
            if not connection.has_expired():
                return connection
            connection.close()
        return self.source.create_connection(self.origin)

    def hand_back(self, connection: Any) -> None:
        """Keep a connection for the next request, or close it if it is good for none.

        It is good for none unless the answer was read to its end.
        """
        if self._closed or not connection.is_available():
            connection.close()
            return
        self._idle.append(connection)
        if self._closed or len(self._idle) > 1:
            self._let_go_of_the_oldest()

    def _let_go_of_the_oldest(self) -> None:
        """Close the connection that was idle for longest, if nobody would take it."""
        try:
            oldest = self._idle.popleft()
        except IndexError:
            return
        if self._closed or oldest.has_expired():
            oldest.close()
        else:
            self._idle.appendleft(oldest)

    def close(self) -> None:
        """Close the idle connections now, and the others when they are handed back."""
        self._closed = True
        while self._idle:
            self._let_go_of_the_oldest()


@frozen
class Line:
    """Where messages of one kind go, with all that can be made ahead.

    Attributes:
        url: An `httpcore.URL`.
        headers: Names and values.
        pool: The connections that lead there.
    """

    url: Any
    headers: list[tuple[bytes, bytes]]
    pool: Pool


@frozen
class Exchange:
    """The open connections of this process.

    Attributes:
        lines: By the kinds of messages.
        request: `httpcore.Request`.
        failures: What sending and reading raise.
    """

    lines: Mapping[str, Line]
    request: type[Any]
    failures: tuple[type[Exception], ...]


def http_core() -> Any:
    """Return `httpcore`, or the edition of it that openai 3 has already loaded.

    Not `httpx` or `httpx2`: openai looks for either among the loaded modules at each
    call, and a call fails on one that another thread has loaded only in part. For these
    it does not look, and an import of them waits for one that is under way.
    """
    # Here and not at the top: it takes some 20 ms and 3 MB, which a process that sends
    # nothing is spared, and the caller does not wait for.
    loaded = sys.modules.get("httpcore2")
    spec = getattr(loaded, "__spec__", None)
    if spec is not None and not getattr(spec, "_initializing", False):
        return loaded
    import httpcore

    return httpcore


def connect(addresses: Mapping[str, Address]) -> Exchange:
    """Make ready, without connecting yet, what leads to each kind's address.

    Raises:
        ValueError: The environment names a proxy that is none.
        OSError: The trust store cannot be read.
    """
    core = http_core()
    sources: dict[tuple[str | None, bool], Any] = {}
    pools: dict[Any, Pool] = {}
    lines = {}
    for kind, address in addresses.items():
        proxy = address.proxy()
        route = (proxy, address.secure)
        if route not in sources:
            # The trust store takes 20 ms and 2 MB to load, for nothing if no TLS will
            # be spoken. An empty one in its place would trust nobody.
            trust = _trust_store(core, empty=not _needs_tls(address, proxy))
            sources[route] = _source(core, trust, proxy)
        headers = {
            "Host": address.netloc,
            "Accept": "application/json",
            # Nothing compressed, hence nothing that could blow up.
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"libretto-instrument/{__version__}",
        }
        url = _url(core, address.url)
        place = (*route, address.netloc)
        if place not in pools:
            pools[place] = Pool(sources[route], url.origin)
        lines[kind] = Line(
            url=url,
            headers=[
                (name.encode(), value.encode()) for name, value in headers.items()
            ],
            pool=pools[place],
        )
    return Exchange(
        lines=lines,
        request=core.Request,
        failures=(
            core.NetworkError,
            core.TimeoutException,
            core.ProtocolError,
            core.ProxyError,
            core.UnsupportedProtocol,
            OSError,
        ),
    )


def _source(core: Any, trust: Any, proxy: str | None) -> Any:
    """Return what makes connections that go straight there, or by way of a proxy."""
    common = {"ssl_context": trust, "keepalive_expiry": KEEPALIVE}
    if proxy is None:
        return core.ConnectionPool(**common)
    way = urlsplit(proxy)
    if way.scheme not in ("http", "https", "socks5", "socks5h") or not way.hostname:
        raise ValueError(f"Unknown scheme or no host in the proxy's URL {proxy!r}")
    auth = None
    if way.username or way.password:
        auth = tuple(
            unquote(part or "").encode() for part in (way.username, way.password)
        )
    kind = core.SOCKSProxy if way.scheme.startswith("socks") else core.HTTPProxy
    return kind(proxy_url=_url(core, proxy), proxy_auth=auth, **common)


def _url(core: Any, url: str) -> Any:
    parts = urlsplit(url)
    host = parts.hostname or ""
    # What is a URL already stays as it is; the rest becomes one.
    target = quote(parts.path or "/", safe=_URL_CHARACTERS)
    if parts.query:
        target += "?" + quote(parts.query, safe=_URL_CHARACTERS)
    return core.URL(
        scheme=parts.scheme.encode(),
        host=host.encode("ascii" if host.isascii() else "idna"),
        port=parts.port,
        target=target.encode(),
    )


def _needs_tls(address: Address, proxy: str | None) -> bool:
    return address.secure or (proxy is not None and proxy.startswith("https:"))


def _trust_store(core: Any, *, empty: bool) -> Any:
    """Return what certificates are checked against.

    The environment's, as OpenSSL names the variables; without any, what `httpcore`
    trusts.
    """
    import ssl

    if empty:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file or directory:
        return ssl.create_default_context(cafile=file or None, capath=directory or None)
    return core.default_ssl_context()
