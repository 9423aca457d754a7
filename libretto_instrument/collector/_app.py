"""The application: the store, the routes and the gate, put together."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles

from . import _api, _pages
from ._answers import HERE, problem
from ._gate import Gate
from ._retention import Retention, age, size, sweep
from ._store import Store
from ._wire import RefusedError

#: Seconds between two looks for events that are too old or too many.
SWEEP = 60

#: What a request may end with and be told about; anything else is a fault of ours.
_TOLD = (RefusedError, HTTPException, ClientDisconnect, sqlite3.Error)


def create_app(
    db: str | Path,
    *,
    api_key: str | None = None,
    token: str | None = None,
    hosts: Collection[str] = (),
    keep: str | None = None,
    max_size: str | None = None,
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
        keep: How long an event is kept, such as ``30d``; ``None`` for good.
        max_size: How large the file may grow, such as ``2GB``; beyond that the
            oldest events make room.
        public: It is reached from other machines, by whatever address.

    Raises:
        ValueError: The file or an argument cannot be used; the message says why.
    """
    bounds = age(keep) if keep else None, size(max_size) if max_size else None
    store = Store(Path(db))

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(_keep_within(Retention(*bounds), store))
        yield
        sweeping.cancel()
        store.close()

    app = Starlette(
        routes=[
            *_pages.routes,
            *_api.routes,
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        middleware=[Middleware(Gate, hosts=hosts, token=token, public=public)],
        exception_handlers=dict.fromkeys(_TOLD, problem),
        lifespan=lifespan,
    )
    app.state.store, app.state.api_key, app.state.stopping = store, api_key, False
    return app


async def _keep_within(retention: Retention, store: Store) -> None:
    while retention != Retention():
        await sweep(store, retention)
        await asyncio.sleep(SWEEP)
