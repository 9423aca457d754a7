"""Where replays are kept: in a local Libretto, or in a file."""

import os
import threading
import time
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .._config.environment import API_PREFIX_ENV_VAR
from .._delivery.endpoint import is_loopback
from ..exporters import ExportRecord, JsonLinesExporter
from ._sources import fetch, is_database, is_url, post

#: Where a local Libretto listens unless told otherwise.
LOCAL = "http://127.0.0.1:4620"
#: How often an event is offered to a local Libretto, and seconds between two times.
_TRIES, _PAUSE = 4, 0.5

_PING = "/api/events?limit=1"
_file_lock = threading.Lock()


def local_address() -> str:
    """Return the local Libretto that programs are pointed at, or the usual one."""
    prefix = os.environ.get(API_PREFIX_ENV_VAR, "").rstrip("/").removesuffix("/api")
    is_local = is_url(prefix) and is_loopback(urlsplit(prefix).hostname or "")
    return prefix if is_local else LOCAL


def find_local() -> str | None:
    """Return the address of this machine's local Libretto; None if none answers."""
    try:
        fetch(local_address(), _PING, timeout=2.0)
    except (OSError, ValueError):
        return None
    return local_address()


def check_store(location: str) -> None:
    """Check that an address or a file can keep events.

    Raises:
        OSError: The local Libretto does not answer.
        ValueError: The address is of something else, there is no such directory, or
            the file is a database.
    """
    path = Path(location)
    if is_url(location):
        fetch(location, _PING)
    elif not path.absolute().parent.is_dir():
        raise ValueError(f"There is no directory {path.absolute().parent}.")
    elif path.is_file() and is_database(path):
        raise ValueError(
            f"{location} is a database: give the address of the local Libretto that "
            "serves it, or another file."
        )


def open_store(location: str) -> None:
    """Check that events can be written, before calls are paid for.

    Raises: OSError or ValueError, if they can't be.
    """
    if not is_url(location):
        JsonLinesExporter(location).export([])
        return
    try:
        post(location, "/api/event", {"apiKey": _key()})
    except ValueError as exc:
        # That this is no event is only told to who has the key.
        if getattr(exc.__cause__, "code", None) != HTTPStatus.BAD_REQUEST:
            raise


def _key() -> str:
    return os.environ.get("LIBRETTO_API_KEY") or "replay"


def store_event(location: str, event: dict[str, Any]) -> None:
    """Keep the event of a call. Raises: OSError, if that fails."""
    if not is_url(location):
        record = ExportRecord("event", event["promptEventId"], event, time.time())
        with _file_lock:
            JsonLinesExporter(location).export([record])
        return
    body = {**event, "apiKey": _key()}
    for left in reversed(range(_TRIES)):
        try:
            post(location, "/api/event", body)
            return
        except OSError:
            if not left:
                raise
            time.sleep(_PAUSE)
