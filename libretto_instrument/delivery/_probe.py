"""Whether an address answers, asked by the way that messages go, to store nothing."""

import socket
from collections.abc import Iterator
from contextlib import suppress
from urllib.parse import urlsplit

from attrs import evolve, frozen

from ._address import Address
from ._connections import connect
from ._http import time_limits


@frozen
class Reply:
    """What came of asking.

    Attributes:
        status: The HTTP status, if there was an answer.
        fault: Why there was none: ``"dns"``, ``"refused"``, ``"tls"``,
            ``"certificates"``, ``"timeout"``, ``"proxy"``, ``"protocol"`` or
            ``"unreachable"``.
        reason: The same in the words of whoever found it.
        proxy: The proxy in between, if there is one, without its password.
        exposed: Whether what is sent there can be read on the way.
    """

    status: int | None = None
    fault: str | None = None
    reason: str = ""
    proxy: str | None = None
    exposed: bool = False


def probe(url: str, timeout: float = 5.0) -> Reply:
    """Ask an address for its options (HTTP ``OPTIONS``), without a body or a key.

    Args:
        url: The address.
        timeout: For how many seconds to wait to connect, and then to be answered.

    Raises:
        ValueError: It is no address.
    """
    address = Address.parse(url)
    proxy = address.proxy()
    reply = Reply(
        proxy=without_secrets(proxy) if proxy else None, exposed=address.exposed
    )
    try:
        exchange = connect({"probe": address})
    except ValueError as exc:
        return evolve(reply, fault="proxy", reason=str(exc))
    except OSError as exc:
        return evolve(reply, fault="certificates", reason=exc.strerror or str(exc))
    line = exchange.lines["probe"]
    request = exchange.request(
        b"OPTIONS",
        line.url,
        headers=line.headers,
        extensions=time_limits(timeout, timeout),
    )
    connection = line.pool.take()
    try:
        response = connection.handle_request(request)
    except exchange.failures as exc:
        return _failed(reply, exc)
    else:
        with suppress(*exchange.failures):
            response.close()
        return evolve(reply, status=response.status)
    finally:
        connection.close()


def without_secrets(url: str) -> str:
    """Return an address less what may hold a password: user, query and fragment."""
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=netloc, query="", fragment="").geturl()


def _failed(reply: Reply, exc: Exception) -> Reply:
    import ssl

    causes = list(_causes(exc))
    names = " ".join(type(cause).__name__ for cause in causes)
    fault = "unreachable"
    if any(isinstance(cause, ssl.SSLError) for cause in causes):
        fault = "tls"
    elif "ProxyError" in names:
        fault = "proxy"
    elif any(isinstance(cause, socket.gaierror) for cause in causes):
        fault = "dns"
    elif any(isinstance(cause, ConnectionRefusedError) for cause in causes):
        fault = "refused"
    elif "Timeout" in names:
        fault = "timeout"
    elif "ProtocolError" in names or "ReadError" in names:
        fault = "protocol"
    if reply.proxy and (
        fault in ("dns", "refused", "unreachable") or "ConnectT" in names
    ):
        fault = "proxy"  # It is the proxy that was to be connected to.
    return evolve(reply, fault=fault, reason=str(causes[-1]) or names)


def _causes(exc: BaseException | None) -> Iterator[BaseException]:
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__
