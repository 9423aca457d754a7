"""Where messages go, and by which way."""

import ipaddress
from urllib.parse import urlsplit

from attrs import frozen


@frozen
class Address:
    """An address that can be posted to.

    Attributes:
        url: The whole of it.
        host: The host's name or number.
        netloc: The host with its port, as the ``Host`` header wants it.
        secure: Whether it is https.
    """

    url: str
    host: str
    netloc: str
    secure: bool

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read an address.

        Raises:
            ValueError: If it is not an http or https address with a host.
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            host, port = None, None
        if not host or parts.scheme not in ("http", "https"):
            raise ValueError(
                f"{url!r} is not an address that Libretto could be reached at; "
                "it must read like https://host/path"
            )
        shown = f"[{host}]" if ":" in host else host
        return cls(
            url=url,
            host=host,
            netloc=shown if port is None else f"{shown}:{port}",
            secure=parts.scheme == "https",
        )

    @property
    def exposed(self) -> bool:
        """Whether what is sent there can be read on the way."""
        return not self.secure and not _is_loopback(self.host)

    def proxy(self) -> str | None:
        """Find the proxy that the environment names for this address, if any."""
        # Late: it loads most of the standard library's networking.
        from urllib.request import getproxies, proxy_bypass

        proxies = getproxies()
        proxy = proxies.get("https" if self.secure else "http") or proxies.get("all")
        if not proxy or proxy_bypass(self.netloc):
            return None
        return proxy if "://" in proxy else f"http://{proxy}"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
