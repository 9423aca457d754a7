"""SIGKILL at random moments: what was acknowledged, and what arrived."""

import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep

from attrs import frozen

from .peers import Peer, environment

#: How long the last relay may bring nothing, in seconds.
_PATIENCE = 20.0


@frozen
class Killed:
    """What became of the events of processes that were killed.

    Attributes:
        rounds: How often processes were started and killed.
        kills: How many processes were killed.
        on_disk: How many calls had returned and had their event on disk, as the
            application counts it.
        lost: How many events of these never arrived.
        in_memory: How many calls had returned and had their event in memory only.
        gone: How many events of these never arrived.
        unannounced: How many arrived of calls that were not known to have returned.
        repeated: How many arrived more than once.
        most: How often, at most, one of these did.
    """

    rounds: int
    kills: int
    on_disk: int
    lost: int
    in_memory: int
    gone: int
    unannounced: int
    repeated: int
    most: int


def kill(rounds: int, writers: int, *, relayed: bool) -> Killed:
    """Kill processes that write to one spool, again and again.

    Args:
        rounds: How often.
        writers: How many applications write at the same time.
        relayed: Whether they leave the sending to a relay, which is killed as well.
    """
    on_disk: set[str] = set()
    in_memory: set[str] = set()
    with tempfile.TemporaryDirectory() as spool, Peer("backend") as backend:
        url = backend.ask("url")
        with Peer("nursery", LIBRETTO_API_PREFIX=url) as nursery:
            for _ in range(rounds):
                told = nursery.ask(
                    "round", random.getrandbits(32), spool, writers, relayed
                )
                on_disk.update(told["on_disk"])
                in_memory.update(told["in_memory"])
        with _relay(spool, url):
            arrived = _await(on_disk, backend)
    repeated = [times for times in arrived.values() if times > 1]
    return Killed(
        rounds,
        rounds * (writers + relayed),
        len(on_disk),
        len(on_disk - arrived.keys()),
        len(in_memory),
        len(in_memory - arrived.keys()),
        len(arrived.keys() - on_disk - in_memory),
        len(repeated),
        max(repeated, default=1),
    )


def _await(expected: set[str], backend: Peer) -> Counter[str]:
    """Wait until all have arrived, or no more come; return how often each has."""
    count, deadline = -1, 0.0
    while True:
        before, count = count, backend.ask("count")
        if count != before:
            deadline = monotonic() + _PATIENCE
        elif monotonic() > deadline:
            return Counter(backend.ask("arrived"))
        # Not for each look: they are many.
        if count >= len(expected):
            arrived = Counter(backend.ask("arrived"))
            if expected <= arrived.keys():
                return arrived
        sleep(2)


@contextmanager
def _relay(spool: str, url: str) -> Iterator[None]:
    """Relay in peace for the length of a block."""
    command = [sys.executable, "-m", "libretto_instrument", "relay", "--spool", spool]
    command += ["--max-size", "16GB"]
    with subprocess.Popen(
        command,
        env=environment(LIBRETTO_API_PREFIX=url),
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.terminate()
