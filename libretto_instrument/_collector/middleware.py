"""Access control: the hosts, sites and tokens that requests may come with."""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .ingest import INGEST_ROUTES
from .limits import FailureLimit
from .responses import error_response
from .schema import RequestError

_COOKIE, _COOKIE_MAX_AGE = "libretto_token", 30 * 86400
_PORT = re.compile(r":\d+$")
_CSP = (
    b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    b"connect-src 'self'; form-action 'self'; base-uri 'none'; "
    b"frame-ancestors 'none'; require-trusted-types-for 'script'"
)
_HEADERS = [
    (b"content-security-policy", _CSP),
    (b"cache-control", b"no-store"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"referrer-policy", b"same-origin"),
    (b"x-content-type-options", b"nosniff"),
]


class AccessMiddleware:
    """Checks ``Host``, ``Origin`` and the reading token of each request.

    ``hosts`` are names of this collector beside the loopback ones; without a ``token``
    all may read; ``public``: other machines reach it, by whatever address.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], token: str | None, public: bool
    ) -> None:
        self.app, self.public = app, public
        self.hosts = {"localhost", "127.0.0.1", *(host.lower() for host in hosts)}
        self.token_hash = _hash_token(token) if token else ""
        self._failures = FailureLimit()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        answer: ASGIApp | None = None
        if scope["type"] == "http":
            try:
                self._check_site(Headers(scope=scope), scope["method"])
                if self.token_hash and not _is_open(scope):
                    answer = self._check_token(Request(scope, receive))
            except RequestError as exc:
                answer = error_response(Request(scope, receive), exc)
        await (answer or self.app)(scope, receive, send_guarded)

    def _check_site(self, headers: Headers, method: str) -> None:
        host = headers.get("host", "")
        if not self._is_allowed_host(_PORT.sub("", host).lower()):
            message = f"This collector is not called {host[:100]!r} (see --allow-host)."
            raise RequestError(message, status=403)
        origin = headers.get("origin", f"://{host}").partition("://")[2]
        site = headers.get("sec-fetch-site", "none")
        if origin == host and site in ("same-origin", "none"):
            return
        # A link may lead here. What a page loads could be timed by it.
        destination = headers.get("sec-fetch-mode"), headers.get("sec-fetch-dest")
        if method != "GET" or destination != ("navigate", "document"):
            message = "Pages of other sites may neither read nor write here."
            raise RequestError(message, status=403)

    def _is_allowed_host(self, name: str) -> bool:
        if name in self.hosts:
            return True
        try:
            address = ipaddress.ip_address(name.strip("[]"))
        except ValueError:
            return False
        # DNS rebinding takes a name; an address cannot be rebound.
        return self.public or address.is_loopback

    def _check_token(self, request: Request) -> Response | None:
        if self._matches(request.cookies.get(_COOKIE, "")):
            return None
        bearer = request.headers.get("authorization", "").partition("Bearer ")[2]
        token = request.query_params.get("token", "")
        if not bearer and not token:
            raise RequestError("Reading takes this collector's token.", status=401)
        if self._failures.is_reached(request.scope):
            raise RequestError("Too many wrong tokens. Try again.", status=429)
        if bearer and self._matches(_hash_token(bearer)):
            return None
        if not self._matches(_hash_token(token)):
            self._failures.add(request.scope)
            raise RequestError("Reading takes this collector's token.", status=401)
        # Out of the address, so that it can be shared.
        rest = request.url.remove_query_params("token")
        to = f"/{rest.path.lstrip('/')}?{rest.query}".rstrip("?")
        forwarded = request.headers.get("x-forwarded-proto", "")
        response = RedirectResponse(to, 303)
        response.set_cookie(
            *(_COOKIE, self.token_hash, _COOKIE_MAX_AGE),
            secure="https" in (forwarded.split(",")[0].strip(), request.url.scheme),
            httponly=True,
            samesite="lax",
        )
        return response

    def _matches(self, token_hash: str) -> bool:
        return hmac.compare_digest(token_hash.encode(), self.token_hash.encode())


def _is_open(scope: Scope) -> bool:
    """Return whether a request takes no token: a program's post, or a style sheet."""
    path: str = scope["path"]
    if path == "/api/feedback":  # It can be read, too.
        return bool(scope["method"] == "POST")
    return path in INGEST_ROUTES or path.startswith("/static/")


def _hash_token(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
