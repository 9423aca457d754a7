"""A load on the delivery, in a fresh process.

openai's own work is left out, for it would take all the time there is: beneath the
recording, `create` returns an answer made ahead. Everything above is as always.

Printed is one line of JSON; see `main`.
"""

import argparse
import json
from time import monotonic, perf_counter, sleep
from typing import Any

from . import canned, sink
from .cases import CASES
from .libraries import LIBRARIES, OURS
from .memory import rss

CASE = CASES["chat"]

#: Seconds between two bursts of calls.
_TICK = 0.01


def offer(create: Any, rate: float, seconds: float) -> tuple[int, list[int]]:
    """Make calls at a steady rate, as far as this machine can.

    Args:
        create: Makes a call, given its arguments.
        rate: How many a second.
        seconds: For how long.

    Returns:
        How many were made, and the memory in bytes, ten times in that time.
    """
    request = CASE.request
    began = perf_counter()
    made = 0
    memory: list[int] = []
    while (passed := perf_counter() - began) < seconds:
        for _ in range(int(passed * rate) - made):
            create(**request())
            made += 1
        if passed > seconds * (len(memory) + 1) / 11:
            memory.append(rss())
        sleep(_TICK)
    return made, memory


def main() -> None:
    """Offer what the command line says, and print what became of it.

    The JSON has ``offered`` and ``delivered`` (events during the load), ``seconds``
    (its length), ``later`` (seconds until the rest was delivered), ``lost`` (events
    that never arrived), and ``memory`` (bytes before the load, then during it).
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=[OURS])
    parser.add_argument("sink")
    parser.add_argument("mode", choices=["on", "spool", "relay"])
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    wanted = parser.parse_args()

    canned.make_ahead(CASE.answer, CASE.request())
    switched = LIBRARIES[OURS].switch_on(wanted.sink, wanted.mode)
    create = canned.client(CASE.answer).chat.completions.create
    create(**CASE.request())
    switched.flush()
    idle = rss()
    began = monotonic()
    offered, memory = offer(create, wanted.rate, wanted.seconds)
    seconds = monotonic() - began
    delivered = sink.get_counts(wanted.sink).get("posts", 0)
    began = monotonic()
    switched.flush()
    switched.finish()
    later = monotonic() - began
    lost = 1 + offered - sink.get_counts(wanted.sink)["posts"]
    print(
        json.dumps(
            {
                "offered": offered,
                "delivered": delivered,
                "seconds": seconds,
                "later": later,
                "lost": lost,
                "memory": [idle, *memory],
            }
        )
    )


if __name__ == "__main__":
    main()
