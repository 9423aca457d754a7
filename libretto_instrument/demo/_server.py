"""Serving an ASGI application from a background thread."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

if TYPE_CHECKING:
    from starlette.applications import Starlette

#: Seconds that answers still under way get when the server stops.
_GRACE = 1


@contextmanager
def serving(app: "Starlette", host: str, port: int) -> Generator[str]:
    """Serve ``app`` while the context is open.

    The socket listens before the context is entered, so that no request is too early.

    Args:
        app: The application.
        host: The address to listen on.
        port: The port; 0 takes any that is free.

    Yields:
        The server's address, such as ``http://127.0.0.1:49152``.

    Raises:
        OSError: If the port is taken.
    """
    # The protocol is named because asyncio turns Nagle's delay, 40 ms an answer, off
    # only for sockets that say they are TCP.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        http="h11",
        loop="asyncio",
        log_config=None,
        # A connection that is cut on purpose would be logged as a crash.
        log_level="critical",
        timeout_graceful_shutdown=_GRACE,
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(
        target=server.run, args=([listener],), name="libretto-demo", daemon=True
    )
    thread.start()
    try:
        yield f"http://{host}:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()
