"""Applications and relays that are killed while they work.

They are forked from this process, which has loaded everything and started nothing, so
that a round takes no longer than its processes live. The only order is ``round``.
"""

import os
import random
import select
import signal
import sys
from collections.abc import Callable
from time import monotonic
from uuid import uuid4

from bench import canned
from bench.cases import CASES

import libretto_instrument as libretto
from libretto_instrument import cli
from libretto_instrument.delivery import HttpSender, durable  # noqa: F401 - loaded ahead

from .peers import obey

_CASE = CASES["chat"]

#: For how long a process lives, in seconds.
_LIVES = (0.02, 0.6)

#: The length of an event's id. So few bytes go through a pipe in one piece.
_ID = 36


def _write(spool: str, spool_only: bool, acknowledge: int) -> None:
    """Call a model without end, and tell of each event that is said to be on disk."""
    libretto.install(
        api_key="chaos",
        prompt_template_name="chaos",
        spool_dir=spool,
        spool_only=spool_only,
    )
    create = canned.client(_CASE.answer).chat.completions.create
    unspooled = 0
    while True:
        identity = str(uuid4())
        create(**_CASE.request(), libretto={"event_id": identity})
        # A disk that is busy for too long leaves an event in memory, and says so.
        if (missed := libretto.stats().unspooled) == unspooled:
            os.write(acknowledge, identity.encode())
        unspooled = missed


def _relay(spool: str) -> None:
    cli.main(["relay", "--spool", spool])


def _fork(work: Callable[[], None]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        work()
    finally:
        os._exit(1)


def run_round(
    seed: int, spool: str, writers: int, relayed: bool
) -> dict[str, list[str]]:
    """Start processes on a spool, and kill each of them at a moment of its own.

    Args:
        seed: Chooses the moments.
        spool: The directory.
        writers: How many applications.
        relayed: Whether they leave the sending to a relay, which is killed as well.

    Returns:
        As ``acknowledged`` the ids of the events whose call had returned and that the
        application counts as being on disk.
    """
    chance = random.Random(seed)
    reading, writing = os.pipe()
    began = monotonic()
    works = [lambda: _write(spool, relayed, writing)] * writers
    works += [lambda: _relay(spool)] * relayed
    deaths = sorted((chance.uniform(*_LIVES), _fork(work)) for work in works)
    os.close(writing)
    heard = bytearray()
    while True:
        left = deaths[0][0] - (monotonic() - began) if deaths else None
        if left is not None and left <= 0:
            _kill(deaths.pop(0)[1])
        elif select.select([reading], [], [], left)[0]:
            piece = os.read(reading, 65536)
            if not piece and not deaths:
                break
            heard += piece
    os.close(reading)
    text = heard.decode()
    return {"acknowledged": [text[at : at + _ID] for at in range(0, len(text), _ID)]}


def _kill(child: int) -> None:
    """Kill a process, which must not have ended by itself."""
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        sys.exit(f"a process of the round had ended by itself: {status}")


if __name__ == "__main__":
    canned.client(_CASE.answer).chat.completions.create(**_CASE.request())
    obey({"round": run_round})
