"""The collector as an application, as a server and as a thread beside a program."""

import asyncio
import ipaddress
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from attrs import frozen
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from .._util.units import age, size
from . import api, pages, proposals, replays, verdict
from .middleware import AccessMiddleware
from .responses import PACKAGE_DIR, error_response
from .retention import delete_expired
from .schema import RequestError
from .store import Store

#: Seconds between two looks for events that are too old or too many.
RETENTION_INTERVAL = 60

#: What a request may end with and be told about; anything else is a fault of ours.
_HANDLED_ERRORS = (RequestError, HTTPException, ClientDisconnect, sqlite3.Error)


@frozen
class RunningServer:
    """A collector that answers.

    Attributes:
        url: Its address, such as ``http://127.0.0.1:4620``.
    """

    url: str


def create_app(
    db: str | Path,
    *,
    api_key: str | None = None,
    token: str | None = None,
    hosts: Collection[str] = (),
    retention: str | None = None,
    max_size: str | None = None,
    delete_cases: bool = False,
    public: bool = False,
) -> Starlette:
    """Return the collector as an ASGI application.

    Args:
        db: The SQLite file; made if it is not there.
        api_key: The only key that events are taken with; ``None`` takes any.
        token: What reading takes (``Authorization: Bearer``, or ``?token=`` once in
            a browser); ``None`` lets everybody read.
        hosts: Names that it is called by, beside ``localhost``. A request for
            another name is refused, as DNS rebinding would make one.
        retention: How long an event is kept, such as ``30d``; ``None`` for good.
        max_size: How large the file may grow, such as ``2GB``; beyond that the
            oldest events are deleted.
        delete_cases: Delete calls with a correction or a good rating, too, which
            are kept otherwise.
        public: It is reached from other machines, by whatever address.

    Raises:
        ValueError: The file or an argument cannot be used; the message says why.
    """
    bounds = age(retention) if retention else None, size(max_size) if max_size else None
    store = Store(Path(db))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_retention_loop(store, *bounds, delete_cases))
        yield
        sweeping.cancel()
        store.close()

    app = Starlette(
        routes=[
            *api.routes,
            *pages.routes,
            *proposals.routes,
            *replays.routes,
            *verdict.routes,
            Mount("/static", StaticFiles(directory=PACKAGE_DIR / "static")),
        ],
        middleware=[
            Middleware(AccessMiddleware, hosts=hosts, token=token, public=public)
        ],
        exception_handlers=dict.fromkeys(_HANDLED_ERRORS, error_response),
        lifespan=lifespan,
    )
    app.state.store, app.state.api_key, app.state.stopping = store, api_key, False
    return app


def serve(
    host: str = "127.0.0.1",
    port: int = 4620,
    db: str | Path = "libretto.db",
    **options: Any,
) -> None:
    """Run the collector until SIGINT or SIGTERM.

    Args:
        host: The address to listen on. Beyond loopback, ``api_key`` and ``token``
            must be given.
        port: The port; 0 takes any that is free.
        db: The SQLite file; made if it is not there.
        options: What :func:`create_app` takes.

    Raises:
        ValueError: Something given cannot be used; the message says what to do.
    """
    server, sock, url = _create_server(host, port, db, options)
    print(f"Libretto collector: {url} (events in {db}). Ctrl-C stops it.", flush=True)
    with suppress(KeyboardInterrupt):
        server.run([sock])


@contextmanager
def running(
    db: str | Path, *, host: str = "127.0.0.1", port: int = 0, **options: Any
) -> Iterator[RunningServer]:
    """Run the collector in a thread; it answers when the block is entered.

    Takes what :func:`serve` takes, and raises what it raises.
    """
    server, sock, url = _create_server(host, port, db, options)
    thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    try:
        # The socket listens already: a request made now waits for its turn.
        yield RunningServer(url)
    finally:
        server.should_exit = True
        thread.join()
        # uvicorn leaves it open if it is told to stop before it has started.
        sock.close()


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # The live connections of open pages would never end by themselves.
        self.config.app.state.stopping = True  # type: ignore[union-attr]  # a Starlette
        await super().shutdown(sockets)


def _create_server(
    host: str, port: int, db: str | Path, options: dict[str, Any]
) -> tuple[uvicorn.Server, socket.socket, str]:
    sock = _bind(host, port)
    try:
        address = ipaddress.ip_address(sock.getsockname()[0])
        public = not address.is_loopback
        if public and not (options.get("api_key") and options.get("token")):
            raise ValueError(f"Listening on {host} takes an --api-key and a --token.")
        hosts = [*options.pop("hosts", ()), host]
        app = create_app(db, hosts=hosts, public=public, **options)
    except BaseException:
        sock.close()
        raise
    config = uvicorn.Config(app, ws="none", log_config=None, log_level="warning")
    config.access_log = False  # An address may hold the token.
    config.server_header = False
    config.proxy_headers = False  # Nothing here asks who the client is.
    config.timeout_graceful_shutdown = 5
    shown = f"[{address}]" if address.version == 6 else str(address)
    return _Server(config), sock, f"http://{shown}:{sock.getsockname()[1]}"


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as exc:
        message = f"Cannot listen on {host}, port {port} ({exc.strerror or exc}). "
        raise ValueError(message + "Choose another --port or --host.") from exc
    # Taken over by every connection; asyncio does so only for sockets of its own.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


async def _retention_loop(
    store: Store, seconds: int | None, max_bytes: int | None, delete_cases: bool
) -> None:
    while seconds is not None or max_bytes is not None:
        # A disk that is full now may not be so the next time.
        with suppress(sqlite3.Error):
            await delete_expired(store, seconds, max_bytes, delete_cases)
        await asyncio.sleep(RETENTION_INTERVAL)
