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

#: How long the last relay may take, in seconds. What a killed process had claimed is
#: nobody else's for a minute.
_PATIENCE = 180.0


@frozen
class Killed:
    """What became of the events of processes that were killed.

    Attributes:
        rounds: How often processes were started and killed.
        kills: How many processes were killed.
        acknowledged: How many calls had returned.
        lost: How many events of these never arrived.
        unannounced: How many arrived of calls that were not known to have returned.
        repeated: How many arrived more than once.
        most: How often, at most, one of these did.
    """

    rounds: int
    kills: int
    acknowledged: int
    lost: int
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
    acknowledged: set[str] = set()
    with tempfile.TemporaryDirectory() as spool, Peer("backend") as backend:
        url = backend.ask("url")
        with Peer("nursery", LIBRETTO_API_PREFIX=url) as nursery:
            for _ in range(rounds):
                told = nursery.ask(
                    "round", random.getrandbits(32), spool, writers, relayed
                )
                acknowledged.update(told["acknowledged"])
        with _relay(spool, url):
            arrived = _await(acknowledged, backend)
    repeated = [times for times in arrived.values() if times > 1]
    return Killed(
        rounds,
        rounds * (writers + relayed),
        len(acknowledged),
        len(acknowledged - arrived.keys()),
        len(arrived.keys() - acknowledged),
        len(repeated),
        max(repeated, default=1),
    )


def _await(acknowledged: set[str], backend: Peer) -> Counter[str]:
    """Wait until all have arrived, or no longer; return how often each has."""
    deadline = monotonic() + _PATIENCE
    while True:
        arrived: Counter[str] = Counter(backend.ask("arrived"))
        if acknowledged <= arrived.keys() or monotonic() > deadline:
            return arrived
        sleep(2)


@contextmanager
def _relay(spool: str, url: str) -> Iterator[None]:
    """Relay in peace for the length of a block."""
    command = [sys.executable, "-m", "libretto_instrument", "relay", "--spool", spool]
    with subprocess.Popen(
        command,
        env=environment(LIBRETTO_API_PREFIX=url),
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            yield
        finally:
            process.terminate()
