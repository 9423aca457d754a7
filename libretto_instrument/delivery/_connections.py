"""The connections to Libretto, made of what stands beneath `httpx.Client`."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from .._version import __version__
from ._address import Address

#: A connection that was idle for longer is not used again, in seconds.
KEEPALIVE = 30.0


@frozen
class Line:
    """Where messages of one kind go, with all that can be made ahead.

    Attributes:
        url: An `httpcore.URL`.
        headers: Names and values.
        pool: An `httpcore.ConnectionPool`.
    """

    url: Any
    headers: list[tuple[bytes, bytes]]
    pool: Any


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


def libraries() -> tuple[Any, Any]:
    """Return the HTTP library that openai uses, and the pools that it stands on.

    Loading the other one here would break the user's calls: each call of openai 3 looks
    for ``httpx`` among the loaded modules, and fails on one that is half loaded.
    """
    # Here and not above: it takes some 20 ms and 3 MB, which who sends nothing is
    # spared, and who sends does not wait for.
    try:
        import httpx2
    except ImportError:
        import httpcore
        import httpx

        return httpx, httpcore
    import httpcore2

    return httpx2, httpcore2


def connect(addresses: Mapping[str, Address]) -> Exchange:
    """Make pools of connections, not connected yet, for each kind of message.

    Raises:
        ValueError: The environment names a proxy that is none.
        OSError: The trust store cannot be read.
    """
    http, core = libraries()
    pools: dict[tuple[str | None, bool], Any] = {}
    lines = {}
    for kind, address in addresses.items():
        proxy = address.proxy()
        route = (proxy, address.secure)
        if route not in pools:
            # The trust store takes 20 ms and 2 MB to load, for nothing if no TLS will
            # be spoken. An empty one in its place would trust nobody.
            trust = (
                http.create_ssl_context()
                if _needs_tls(address, proxy)
                else _empty_trust_store()
            )
            pools[route] = _pool(http, core, trust, proxy)
        headers = {
            "Host": address.netloc,
            "Accept": "application/json",
            # Nothing compressed, hence nothing that could blow up.
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "User-Agent": f"libretto-instrument/{__version__}",
        }
        lines[kind] = Line(
            url=_url(core, http.URL(address.url)),
            headers=[
                (name.encode(), value.encode()) for name, value in headers.items()
            ],
            pool=pools[route],
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


def _pool(http: Any, core: Any, trust: Any, proxy: str | None) -> Any:
    """Return a pool of connections that go straight there, or by way of a proxy."""
    common = {
        "ssl_context": trust,
        "max_connections": None,
        "keepalive_expiry": KEEPALIVE,
    }
    if proxy is None:
        return core.ConnectionPool(**common)
    way = http.Proxy(proxy)
    kind = core.SOCKSProxy if way.url.scheme.startswith("socks") else core.HTTPProxy
    return kind(proxy_url=_url(core, way.url), proxy_auth=way.raw_auth, **common)


def _url(core: Any, url: Any) -> Any:
    return core.URL(
        scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path
    )


def _needs_tls(address: Address, proxy: str | None) -> bool:
    return address.secure or (proxy is not None and proxy.startswith("https:"))


def _empty_trust_store() -> Any:
    import ssl

    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
