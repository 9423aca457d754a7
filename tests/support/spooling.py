"""Messages for a spool, and what is read from it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

from libretto_instrument._delivery.message import LIBRETTO, Message
from libretto_instrument._spool import Spool, Stored

TO_LIBRETTO = (LIBRETTO,)

_PRELUDE = """
import os, sys, time
from support.spooling import TO_LIBRETTO, make_message, read_ids
from libretto_instrument._spool import Spool
spool = Spool({directory!r})
"""


def make_message(name: str, *, key: str | None = None, size: int = 100) -> Message:
    """Return an event with a body of some size in bytes."""
    body = json.dumps({"promptEventId": name}).encode().ljust(size)
    return Message("event", name, body, key, 1.5, "http://127.0.0.1/event", "abc")


def append(spool: Spool, *names: str, size: int = 100) -> None:
    """Write events for Libretto."""
    for name in names:
        assert spool.append(make_message(name, size=size), TO_LIBRETTO)


def read(spool: Spool, limit: int = 1000, destination: str = LIBRETTO) -> list[Stored]:
    """Read as the one reader of a destination, until there is nothing more."""
    assert spool.try_lead(destination)
    found: list[Stored] = []
    misses = 0
    while misses < 3 and len(found) < limit:  # One call reads for a limited time.
        new = spool.read(destination, limit - len(found), 2**30)
        misses = 0 if new else misses + 1
        found += new
    return found


def read_ids(spool: Spool, limit: int = 1000, destination: str = LIBRETTO) -> list[str]:
    """Return the ids of what is read."""
    return [stored.message.id for stored in read(spool, limit, destination)]


def segments(directory: Path) -> list[Path]:
    """Return the spool's segments."""
    return sorted((directory / "segments").glob("*.seg"))


def size_of(directory: Path) -> int:
    """Return the size of all files below a directory, in bytes."""
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


@contextmanager
def program(directory: Path, code: str) -> Iterator["subprocess.Popen[str]"]:
    """Run a program that has a ``spool``; it is killed at the end of the block."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-c",
            _PRELUDE.format(directory=str(directory)) + dedent(code),
        ],
        cwd=Path(__file__).parents[1],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def hear(process: "subprocess.Popen[str]") -> str:
    """Return the next line that a program prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def say(process: "subprocess.Popen[str]", line: str = "") -> None:
    """Have a program read a line."""
    assert process.stdin is not None
    process.stdin.write(f"{line}\n")
    process.stdin.flush()
