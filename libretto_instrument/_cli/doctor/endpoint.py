"""Checks that Libretto's endpoints answer."""

from urllib.parse import urlsplit

from attrs import asdict

from ..._config.environment import API_PREFIX_ENV_VAR, endpoint_urls
from ..._delivery.endpoint import strip_credentials
from .probe import ProbeResult, probe
from .report import DoctorReport

#: Why there was no answer: the diagnosis, what is wrong, and what to do next.
_ERRORS = {
    "dns": (
        "The name {host} is not known to this machine.",
        f"Check {API_PREFIX_ENV_VAR} for a typing error, and the machine's DNS.",
    ),
    "refused": (
        "Nothing listens at {address}.",
        f"Check host and port in {API_PREFIX_ENV_VAR}, and that Libretto runs there.",
    ),
    "tls": (
        "{host} does not prove who it is ({reason}).",
        "If it has a certificate of your own authority, name that in SSL_CERT_FILE; "
        "if it speaks http, say so in " + API_PREFIX_ENV_VAR + ".",
    ),
    "certificates": (
        "The certificates to trust cannot be read ({reason}).",
        "Check SSL_CERT_FILE and SSL_CERT_DIR, or unset them.",
    ),
    "timeout": (
        "{address} does not answer in time.",
        "Check the firewall, or whether a proxy is needed (HTTPS_PROXY).",
    ),
    "proxy": (
        "The proxy {proxy} does not let us through ({reason}).",
        "Check HTTPS_PROXY, HTTP_PROXY and ALL_PROXY; NO_PROXY exempts a host.",
    ),
    "protocol": (
        "What answers at {address} does not speak HTTP ({reason}).",
        f"Check host and port in {API_PREFIX_ENV_VAR}, and http or https.",
    ),
    "unreachable": (
        "{address} cannot be reached ({reason}).",
        f"Check the network, and host and port in {API_PREFIX_ENV_VAR}.",
    ),
}


def check_endpoints(report: DoctorReport, timeout: float, can_ask: bool) -> None:
    """Probe each endpoint, if an HTTP library is installed, for ``timeout`` seconds."""
    try:
        addresses = endpoint_urls()
    except ValueError as exc:
        report.add_problem("malformed-address", str(exc), "Correct it.")
        return
    asked: dict[tuple[str, str], ProbeResult] = {}
    for kind, address in addresses.items():
        shown = strip_credentials(address)
        report.add_fact("endpoints", kind, {"address": shown})
        parts = urlsplit(address)
        server = (parts.scheme, parts.netloc)
        if can_ask and server not in asked:
            # The first of each server stands for all: the event's, if it is the same.
            asked[server] = reply = probe(address, timeout)
            report.add_fact("endpoints", kind, {"address": shown, **asdict(reply)})
            _report_reply(report, shown, reply)


def _report_reply(report: DoctorReport, address: str, reply: ProbeResult) -> None:
    if reply.is_plaintext:
        report.add_warning(
            "plain-http",
            f"Events go to {address} in clear: prompts and the key can be read on the "
            "way.",
            f"Set {API_PREFIX_ENV_VAR} to an https address.",
        )
    status = reply.status or 0
    kind = "proxy" if status == 407 else reply.error_kind
    if kind is not None:
        text, remedy = _ERRORS[kind]
        message = text.format(
            address=address,
            host=urlsplit(address).hostname,
            reason=reply.reason or "HTTP 407",
            proxy=reply.proxy,
        )
        report.add_problem(f"endpoint-{kind}", message, remedy)
    elif status >= 500 and status != 501:  # 501: no such method
        report.add_problem(
            "endpoint-failing",
            f"{address} answers with HTTP {status}.",
            "Try again later; events wait meanwhile. If it continues, tell its "
            "operator.",
        )
    elif 300 <= status < 400:
        report.add_problem(
            "endpoint-redirects",
            f"{address} redirects (HTTP {status}), which is not followed.",
            f"Set {API_PREFIX_ENV_VAR} to where it leads.",
        )
    elif status in (404, 410):
        report.add_warning(
            "endpoint-path",
            f"{address} answers with HTTP {status}: Libretto may not be there.",
            f"Check the path in {API_PREFIX_ENV_VAR}; by default it ends in /api.",
        )
    elif status in (401, 403):
        report.add_warning(
            "endpoint-refuses",
            f"{address} answers with HTTP {status}, even to a question without a key.",
            "Something in between may keep you out: ask who runs it.",
        )
