"""The TLS settings that connections share."""

import contextlib
import os
import ssl
import sys
from typing import Any

_context: tuple[Any, Any] | None = None


def ssl_context() -> Any:
    """Return the TLS settings, with the certificates that openai's HTTP library trusts.

    Those that the environment names come first; then `certifi`'s, as for `httpx`, or
    the system's, as for `httpx2`. Made once, as that takes 20 ms.

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
    with contextlib.suppress(ImportError, OSError):
        if "httpcore2" not in sys.modules:
            import certifi

            return ssl.create_default_context(cafile=certifi.where())
        if sys.platform in ("win32", "darwin"):
            import truststore

            return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return ssl.create_default_context()
