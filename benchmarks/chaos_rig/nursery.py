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
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

from bench import canned
from bench.cases import CASES

import libretto_instrument as libretto
from libretto_instrument._cli import main
from libretto_instrument._delivery import HttpTransport  # noqa: F401 - loaded ahead
from libretto_instrument._spool import Spool  # noqa: F401 - loaded ahead

from .peers import obey

_CASE = CASES["chat"]

#: A process is killed after a random number of calls in this range, and up to this many
#: seconds later: anywhere in a call, or in what happens beside it.
_CALLS, _LATER = (0, 1_000), 0.02

#: The longest round, in seconds, if calls are slow.
_LONGEST = 5.0

#: The length of an event's id, and of a line about it, in bytes. A pipe takes a line of
#: this length in one piece.
_ID, _LINE = 36, 37

#: Where an event is when its call returns.
_ON_DISK, _IN_MEMORY = "d", "m"

#: Of the spool, in bytes. A relay that is killed again and again falls behind, and what
#: the bounds drop is another story.
_BOUND = 16 * 2**30


def _write(spool: str, spool_only: bool, acknowledge: int) -> None:
    """Call a model in an endless loop, and report for each event where it is."""
    libretto.install(
        api_key="chaos",
        prompt_template_name="chaos",
        spool_dir=spool,
        spool_only=spool_only,
        spool_max_bytes=_BOUND,
    )
    create = canned.client(_CASE.answer).chat.completions.create
    failures = 0
    while True:
        identity = str(uuid4())
        create(**_CASE.request(), libretto={"event_id": identity})
        # What can't be written stays in memory, and is counted.
        before, failures = failures, libretto.stats().spool_failures
        where = _ON_DISK if before == failures else _IN_MEMORY
        os.write(acknowledge, (identity + where).encode())


def _relay(spool: str) -> None:
    main.main(["relay", "--spool", spool, "--max-size", str(_BOUND >> 30) + "GB"])


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


def run_round(seed: int, spool: str, writers: int, relayed: bool) -> dict[str, Any]:
    """Start processes on a spool, and kill each of them at a moment of its own.

    Args:
        seed: Chooses the moments.
        spool: The directory.
        writers: How many applications.
        relayed: Whether they leave the sending to a relay, which is killed as well.

    Returns:
        The ids of the events whose call had returned: as ``on_disk`` and ``in_memory``
        those of which the application counts so.
    """
    chance = random.Random(seed)
    reading, writing = os.pipe()
    applications = {
        _fork(lambda: _write(spool, relayed, writing)) for _ in range(writers)
    }
    living = [*applications, *(_fork(lambda: _relay(spool)) for _ in range(relayed))]
    os.close(writing)
    chance.shuffle(living)
    moments = sorted((chance.randint(*_CALLS) for _ in living), reverse=True)
    deadline = monotonic() + _LONGEST
    heard = bytearray()
    while living:
        if (
            len(heard) >= moments[-1] * _LINE
            or applications.isdisjoint(living)
            or monotonic() > deadline
        ):
            moments.pop()
            sleep(chance.uniform(0, _LATER))
            _kill(living.pop())
        elif select.select([reading], [], [], 0.1)[0]:
            heard += os.read(reading, 65536)
    while piece := os.read(reading, 65536):
        heard += piece
    os.close(reading)
    text = heard.decode()
    lines = [text[at : at + _LINE] for at in range(0, len(text), _LINE)]
    return {
        name: [line[:_ID] for line in lines if line[_ID:] == where]
        for name, where in (("on_disk", _ON_DISK), ("in_memory", _IN_MEMORY))
    }


def _kill(child: int) -> None:
    """Kill a process, which must not have ended by itself."""
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
        sys.exit(f"a process of the round had ended by itself: {status}")


if __name__ == "__main__":
    canned.make_ahead(_CASE.answer, _CASE.request())
    obey({"round": run_round})
