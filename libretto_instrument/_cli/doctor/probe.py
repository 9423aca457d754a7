"""Probes an endpoint over the transport of messages, without storing anything."""

import socket
import ssl

from attrs import evolve, frozen

from ..._delivery.connection import Connection, ProtocolError, ProxyError
from ..._delivery.endpoint import Endpoint, strip_credentials
from ..._delivery.tls import ssl_context
from ..._util.clock import monotonic


@frozen
class ProbeResult:
    """What came of a probe.

    Attributes:
        status: The HTTP status, if there was an answer.
        error_kind: Why there was none: ``"dns"``, ``"refused"``, ``"tls"``,
            ``"certificates"``, ``"timeout"``, ``"proxy"``, ``"protocol"`` or
            ``"unreachable"``.
        reason: The same in the words of the library that noticed.
        proxy: The proxy in between, if there is one, without its password.
        is_plaintext: Whether what is sent there can be read on the way.
    """

    status: int | None = None
    error_kind: str | None = None
    reason: str = ""
    proxy: str | None = None
    is_plaintext: bool = False


def probe(url: str, timeout: float = 5.0) -> ProbeResult:
    """Ask an endpoint for its options (HTTP ``OPTIONS``), without a body or a key.

    Args:
        url: The endpoint.
        timeout: Seconds to connect, and then to be answered.

    Raises:
        ValueError: It can't be posted to.
    """
    endpoint = Endpoint.parse(url)
    result = ProbeResult(is_plaintext=endpoint.is_plaintext)
    try:
        proxy = endpoint.find_proxy()
        if proxy is not None:
            result = evolve(result, proxy=strip_credentials(proxy.url))
    except ValueError as exc:
        return evolve(result, error_kind="proxy", reason=str(exc))
    if endpoint.is_https:
        try:
            ssl_context()
        except OSError as exc:
            reason = exc.strerror or str(exc)
            return evolve(result, error_kind="certificates", reason=reason)
    connection = Connection(endpoint, timeout, timeout)
    try:
        response = connection.request("OPTIONS", b"", monotonic() + 2 * timeout)
        return evolve(result, status=response.status)
    except OSError as exc:
        kind = _classify(exc)
        if proxy is not None and not connection.is_connected:
            kind = "proxy"  # It is the proxy that was to be connected to.
        return evolve(result, error_kind=kind, reason=str(exc) or type(exc).__name__)
    finally:
        connection.close()


def _classify(exc: OSError) -> str:
    kinds: dict[type[OSError], str] = {
        ssl.SSLError: "tls",
        ProxyError: "proxy",
        socket.gaierror: "dns",
        ConnectionRefusedError: "refused",
        TimeoutError: "timeout",
        ProtocolError: "protocol",
        ConnectionResetError: "protocol",
    }
    matching = (kind for error, kind in kinds.items() if isinstance(exc, error))
    return next(matching, "unreachable")
