"""The collector as an application, as a server, and as a thread of a program."""

import asyncio
import ipaddress
import logging
import socket
import sqlite3
import threading
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from attrs import frozen
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from .._util.units import parse_duration, parse_size
from . import api, pages, proposals, replays, verdict
from .ingest import BodyReader, IngestMiddleware
from .limits import MAX_CONNECTIONS, BoundedProtocol, Connections, LogLimit
from .middleware import AccessMiddleware
from .responses import PACKAGE_DIR, error_response
from .retention import delete_expired
from .schema import RequestError
from .store import Store

#: Seconds between two runs of the retention; sooner if as much of the size was written.
RETENTION_INTERVAL, RETENTION_SHARE = 60, 1 / 20
#: Characters of a key or token, so that trying them out is hopeless.
MIN_SECRET = 16
#: Pages that are made at once. More would only wait for each other.
MAX_READERS = 8

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
        db: The SQLite file; it is created if it does not exist.
        api_key: The only key that posts are accepted with; ``None`` accepts any.
        token: What reading takes (``Authorization: Bearer``, or ``?token=`` once in
            a browser); ``None`` lets everybody read.
        hosts: Its names, beside ``localhost``. A request for another name is refused,
            as DNS rebinding would make one.
        retention: How long an event is kept, such as ``30d``; ``None`` for good.
        max_size: How large the file may grow, such as ``2GB``; beyond that the
            oldest events are deleted.
        delete_cases: Delete calls with a correction or a good rating, too, which
            are kept otherwise.
        public: Other machines reach it, by whatever address.

    Raises:
        ValueError: The file or an argument cannot be used; the message says why.
    """
    for name, secret in (("key", api_key), ("token", token)):
        if secret is not None and len(secret) < MIN_SECRET:
            raise ValueError(f"The {name} must have {MIN_SECRET} characters or more.")
    # An empty one is a variable that was not set, and must not keep everything.
    seconds = None if retention is None else parse_duration(retention)
    max_bytes = None if max_size is None else parse_size(max_size)
    store, bodies = Store(Path(db)), BodyReader()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        current_default_thread_limiter().total_tokens = MAX_READERS
        await store.index()  # What was put before a kill.
        deleting = asyncio.create_task(
            _retention_loop(store, seconds, max_bytes, delete_cases)
        )
        yield
        deleting.cancel()
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
            Middleware(AccessMiddleware, hosts=hosts, token=token, public=public),
            Middleware(IngestMiddleware, bodies=bodies, api_key=api_key),
        ],
        exception_handlers=dict.fromkeys(_HANDLED_ERRORS, error_response),
        lifespan=lifespan,
    )
    app.state.store, app.state.bodies = store, bodies
    app.state.stopping, app.state.newest_live = False, 0
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
        port: The port; 0 takes a free one.
        db: The SQLite file; it is created if it does not exist.
        options: What :func:`create_app` takes.

    Raises:
        ValueError: Something given cannot be used; the message says what to do.
    """
    server, sock, url = _create_server(host, port, db, options)
    for name in ("asyncio", "uvicorn.error"):
        logging.getLogger(name).addFilter(LogLimit())
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
    connections: Connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._closing = asyncio.create_task(self.connections.close_idle())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # The live connections of open pages would never end by themselves.
        self.config.app.state.stopping = True  # type: ignore[union-attr]  # a Starlette
        self._closing.cancel()
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
    connections = Connections(_max_connections())
    config = uvicorn.Config(app, ws="none", log_config=None, log_level="warning")
    config.http = partial(BoundedProtocol, connections)  # type: ignore[assignment]
    config.access_log = False  # An address may hold the token.
    config.server_header = False
    config.proxy_headers = False  # A client could forge its address.
    config.timeout_graceful_shutdown = 5
    # As many are accepted at once, before the limit of connections is looked at.
    config.backlog = 64
    shown = f"[{address}]" if address.version == 6 else str(address)
    server = _Server(config)
    server.connections = connections
    return server, sock, f"http://{shown}:{sock.getsockname()[1]}"


def _max_connections() -> int:
    try:
        import resource
    except ImportError:  # Windows, which has no such limit.
        return MAX_CONNECTIONS
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Each reader has a database open, which is three files.
    return min(MAX_CONNECTIONS, max(files // 2, 16)) if files > 0 else MAX_CONNECTIONS


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
    elapsed, written = RETENTION_INTERVAL, 0
    while seconds is not None or max_bytes is not None:
        share = (store.written - written) / max_bytes if max_bytes else 0
        if elapsed >= RETENTION_INTERVAL or share > RETENTION_SHARE:
            elapsed, written = 0, store.written
            # A disk that is full now may not be so the next time.
            with suppress(sqlite3.Error):
                await delete_expired(store, seconds, max_bytes, delete_cases)
        await asyncio.sleep(1)
        elapsed += 1
