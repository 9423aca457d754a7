"""What stands before every request: who may come in, from where, with what."""

import hashlib
import hmac
import ipaddress
import re
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .api import INGEST_ROUTES
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
    """Middleware that checks ``Host``, ``Origin`` and the reading token.

    Args:
        app: What lies behind.
        hosts: Names that this collector is called by, beside the loopback ones.
        token: What reading takes; ``None`` for nothing.
        public: It is reached from other machines, by whatever address.
    """

    def __init__(
        self, app: ASGIApp, hosts: Collection[str], token: str | None, public: bool
    ) -> None:
        self.app, self.public = app, public
        self.hosts = {"localhost", "127.0.0.1", *(host.lower() for host in hosts)}
        self.token_hash = _hash_token(token) if token else ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it here."""

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_HEADERS]
            await send(message)

        answer: ASGIApp | None = None
        if scope["type"] == "http":
            request = Request(scope, receive)
            try:
                self._check_origin(request.headers, request.method)
                answer = self._check_token(request)
            except RequestError as exc:
                answer = error_response(request, exc)
        await (answer or self.app)(scope, receive, guarded)

    def _check_origin(self, headers: Headers, method: str) -> None:
        host = headers.get("host", "")
        if not self._is_allowed_host(_PORT.sub("", host).lower()):
            message = f"This collector is not called {host[:100]!r} (see --allow-host)."
            raise RequestError(message, status=403)
        origin = headers.get("origin", f"://{host}").partition("://")[2]
        site = headers.get("sec-fetch-site", "none")
        foreign = origin != host or site not in ("same-origin", "none")
        if foreign and method not in ("GET", "HEAD"):
            raise RequestError("Pages of other sites may not write here.", status=403)

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
        path = request.scope["path"]
        if not self.token_hash or path in INGEST_ROUTES or path.startswith("/static/"):
            return None
        bearer = request.headers.get("authorization", "").partition("Bearer ")[2]
        given = request.query_params.get("token", "")
        if self._token_matches(_hash_token(bearer)) or self._token_matches(
            request.cookies.get(_COOKIE, "")
        ):
            return None
        if not self._token_matches(_hash_token(given)):
            raise RequestError("Reading takes this collector's token.", status=401)
        # Out of the address, so that it can be shared.
        rest = request.url.remove_query_params("token")
        to = f"/{rest.path.lstrip('/')}?{rest.query}".rstrip("?")
        answer = RedirectResponse(to, 303)
        answer.set_cookie(
            _COOKIE, self.token_hash, _COOKIE_MAX_AGE, httponly=True, samesite="lax"
        )
        return answer

    def _token_matches(self, token_hash: str) -> bool:
        return hmac.compare_digest(token_hash.encode(), self.token_hash.encode())


def _hash_token(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
