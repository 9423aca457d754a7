"""An application that calls a model in memory and is recorded.

With ``--ahead`` openai's own work is left out, to make many events soon; with
``--small`` its queue has room for few events. Orders: ``feel`` with a number of calls
and whether they are recorded, ``offer`` with a number of calls, ``flush`` with its
time-out, ``stats``, ``memory``.
"""

import gc
import sys
from collections.abc import Callable
from itertools import count
from time import monotonic, perf_counter_ns, thread_time_ns
from typing import Any
from uuid import UUID

from attrs import asdict
from bench import canned
from bench.cases import CASES
from bench.memory import rss
from bench.switch import Switch

import libretto_instrument as libretto

from .peers import obey

_CASE = CASES["chat"]

#: How many calls are made before those that are felt: what changed takes effect.
_AHEAD = 10

#: How many events a small queue holds.
_SMALL = 20


def main() -> None:
    """Install, and make calls until standard input is closed."""
    if "--ahead" in sys.argv:
        canned.make_ahead(_CASE.answer, _CASE.request())
    client = canned.client(_CASE.answer)
    # openai loads the rest of itself now, where the switch finds it.
    client.chat.completions.create(**_CASE.request())
    bounds = {"queue_max_events": _SMALL} if "--small" in sys.argv else {}
    switch, _ = Switch.around(
        lambda: libretto.install(
            api_key="chaos", prompt_template_name="chaos", **bounds
        )
    )
    obey(_orders(client, switch))


def _orders(client: Any, switch: Switch) -> dict[str, Callable[..., Any]]:
    numbers = count()

    def extra(recorded: bool) -> dict[str, Any]:
        if not recorded:
            return {}
        return {"libretto": {"event_id": str(UUID(int=next(numbers)))}}

    def feel(times: int, recorded: bool) -> dict[str, Any]:
        """Make calls; return the time of each and the thread's CPU for all, in ns."""
        switch.turn(recording=recorded)
        completions = client.chat.completions
        for _ in range(_AHEAD):
            completions.create(**_CASE.request(), **extra(recorded))
        calls = [(_CASE.request(), extra(recorded)) for _ in range(times)]
        took = []
        gc.collect()
        cpu = thread_time_ns()
        for request, ours in calls:
            began = perf_counter_ns()
            completions.create(**request, **ours)
            took.append(perf_counter_ns() - began)
        return {"took": took, "cpu": thread_time_ns() - cpu}

    def offer(times: int) -> int:
        """Make calls; return the memory held after them, in bytes."""
        for _ in range(times):
            client.chat.completions.create(**_CASE.request(), **extra(True))
        return rss()

    def flush(timeout: float) -> dict[str, Any]:
        began = monotonic()
        complete = libretto.flush(timeout)
        return {"complete": complete, "seconds": monotonic() - began}

    return {
        "feel": feel,
        "offer": offer,
        "flush": flush,
        "stats": lambda: asdict(libretto.stats()),
        "memory": rss,
    }


if __name__ == "__main__":
    main()
