"""An application that calls a model in memory and is recorded.

With ``--ahead`` openai's own work is left out, to make many events soon. Orders:
``call`` and ``offer`` with a number of calls, ``flush`` with its time-out, ``stats``,
``memory``.
"""

import sys
from collections.abc import Callable
from itertools import count
from time import monotonic, perf_counter_ns
from typing import Any
from uuid import UUID

from attrs import asdict
from bench import canned
from bench.cases import CASES
from bench.memory import rss

import libretto_instrument as libretto

from .peers import obey

_CASE = CASES["chat"]


def main() -> None:
    """Install, and make calls until standard input is closed."""
    if "--ahead" in sys.argv:
        canned.make_ahead(_CASE.answer, _CASE.request())
    libretto.install(api_key="chaos", prompt_template_name="chaos")
    create = canned.client(_CASE.answer).chat.completions.create
    obey(_orders(create))


def _orders(create: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    numbers = count()

    def call(times: int) -> list[int]:
        """Make calls; return how long each took, in nanoseconds."""
        took = []
        for _ in range(times):
            request, extra = _CASE.request(), {"event_id": str(UUID(int=next(numbers)))}
            began = perf_counter_ns()
            create(**request, libretto=extra)
            took.append(perf_counter_ns() - began)
        return took

    def offer(times: int) -> int:
        """Make calls; return the memory held after them, in bytes."""
        call(times)
        return rss()

    def flush(timeout: float) -> dict[str, Any]:
        began = monotonic()
        complete = libretto.flush(timeout)
        return {"complete": complete, "seconds": monotonic() - began}

    return {
        "call": call,
        "offer": offer,
        "flush": flush,
        "stats": lambda: asdict(libretto.stats()),
        "memory": rss,
    }


if __name__ == "__main__":
    main()
