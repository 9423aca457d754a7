"""The collector as a server: in the foreground, or in a thread beside a program."""

import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn
from attrs import frozen

from ._app import create_app


@frozen
class Running:
    """A collector that answers.

    Attributes:
        url: Its address, such as ``http://127.0.0.1:4620``.
    """

    url: str


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
    server, sock, url = _prepare(host, port, db, options)
    print(f"Libretto collector: {url} (events in {db}). Ctrl-C stops it.", flush=True)
    with suppress(KeyboardInterrupt):
        server.run([sock])


@contextmanager
def running(
    db: str | Path, *, host: str = "127.0.0.1", port: int = 0, **options: Any
) -> Iterator[Running]:
    """Run the collector in a thread; it answers when the block is entered.

    Takes what :func:`serve` takes, and raises what it raises.
    """
    server, sock, url = _prepare(host, port, db, options)
    thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
    thread.start()
    try:
        # The socket listens already: a request made now waits for its turn.
        yield Running(url)
    finally:
        server.should_exit = True
        thread.join()


class _Server(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        # The live connections of open pages would never end by themselves.
        self.config.app.state.stopping = True  # type: ignore[union-attr]  # a Starlette
        await super().shutdown(sockets)


def _prepare(
    host: str, port: int, db: str | Path, options: dict[str, Any]
) -> tuple[uvicorn.Server, socket.socket, str]:
    sock = _listen(host, port)
    try:
        address = ipaddress.ip_address(sock.getsockname()[0])
        public = not address.is_loopback
        if public and not (options.get("api_key") and options.get("token")):
            message = f"{host} is reached from other machines. Give an --api-key (for "
            message += "sending) and a --token (for reading), or stay on 127.0.0.1."
            raise ValueError(message)
        hosts = [*options.pop("hosts", ()), host]
        app = create_app(db, hosts=hosts, public=public, **options)
    except BaseException:
        sock.close()
        raise
    config = uvicorn.Config(app, ws="none", log_config=None, log_level="warning")
    config.access_log = False  # An address may hold the token.
    config.server_header = False
    config.timeout_graceful_shutdown = 5
    shown = f"[{address}]" if address.version == 6 else str(address)
    return _Server(config), sock, f"http://{shown}:{sock.getsockname()[1]}"


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        sock = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as exc:
        message = f"Cannot listen on {host}, port {port} ({exc.strerror or exc}). "
        raise ValueError(message + "Choose another --port or --host.") from exc
    # Taken over by every connection; asyncio does so only for sockets of its own.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock
