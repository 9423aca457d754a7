"""URLs that messages are posted to, and the proxies on the way."""

import ipaddress
import re
from urllib.parse import quote, unquote, urlsplit

from attrs import frozen

_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"


@frozen(repr=False)
class Endpoint:
    """A URL, taken apart.

    Attributes:
        host: The host's name or number, in ASCII.
        netloc: The host with its port, as the ``Host`` header wants it.
        target: The path and the query.
    """

    url: str
    scheme: str
    host: str
    port: int
    netloc: str
    target: str
    username: str = ""
    password: str = ""

    @classmethod
    def parse(
        cls, url: str, schemes: tuple[str, ...] = ("http", "https")
    ) -> "Endpoint":
        """Parse a URL.

        Raises:
            ValueError: It is not one of the given schemes, or has no host, or a port
                that is none.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
            if not host.isascii():
                host = host.encode("idna").decode()
        except ValueError:
            host, port = "", None
        is_clean = url.isprintable() and " " not in url
        if not (host and is_clean and parts.scheme in schemes):
            raise ValueError(
                f"{strip_credentials(url)!r} is not a URL that can be posted to; "
                "it must read like https://host/path"
            )
        shown = f"[{host}]" if ":" in host else host
        target = quote(parts.path or "/", safe=_URL_CHARACTERS)
        if parts.query:
            target += "?" + quote(parts.query, safe=_URL_CHARACTERS)
        return cls(
            url=url,
            scheme=parts.scheme,
            host=host,
            port=port or {"https": 443, "http": 80}.get(parts.scheme, 1080),
            netloc=shown if port is None else f"{shown}:{port}",
            target=target,
            username=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
        )

    @property
    def is_https(self) -> bool:
        """Whether TLS is spoken."""
        return self.scheme == "https"

    @property
    def is_loopback(self) -> bool:
        """Whether it is on this machine."""
        return is_loopback(self.host)

    @property
    def is_plaintext(self) -> bool:
        """Whether what is sent there can be read on the way."""
        return not (self.is_https or self.is_loopback)

    def find_proxy(self) -> "Endpoint | None":
        """Return the proxy that the environment names for this URL, if any.

        What is on this machine is never reached by a proxy.

        Raises:
            ValueError: The environment names something else.
        """
        if self.is_loopback:
            return None
        # Late: it loads most of the standard library's networking.
        from urllib.request import getproxies, proxy_bypass

        proxies = getproxies()
        url = proxies.get(self.scheme) or proxies.get("all")
        if not url or proxy_bypass(self.netloc):
            return None
        url = url if "://" in url else f"http://{url}"
        try:
            return Endpoint.parse(url, ("http", "https", "socks5", "socks5h"))
        except ValueError:
            raise ValueError(
                f"The proxy {strip_credentials(url)!r} that the environment names must "
                "read like http://host:port"
            ) from None


def is_loopback(host: str) -> bool:
    """Return whether a host's name or number is this machine's."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def strip_credentials(url: str) -> str:
    """Return a URL without what may hold a password: user, query and fragment."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host:
        # The password may hold a slash, a question mark or a number sign.
        return re.split("[?#]", url.rpartition("@")[2])[0]
    netloc = parts.netloc.rpartition("@")[2]
    return parts._replace(netloc=netloc, query="", fragment="").geturl()
