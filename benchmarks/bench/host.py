"""One process of a fleet: calls at a steady rate, of the sizes that are wanted.

openai's own work is left out: beneath the recording, `create` returns an answer made
ahead. Printed is one line of JSON; see `main`.
"""

import argparse
import json
import os
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from time import perf_counter, process_time, sleep
from typing import Any

from . import canned, sink
from .libraries import BARE, LIBRARIES, OURS
from .switch import Switch

#: The deciles of the bodies of 724 requests for chat completions and of their answers,
#: in bytes, as public test suites have recorded them.
REQUEST_BYTES = (76, 107, 118, 149, 214, 310, 444, 608, 993, 2_611)
ANSWER_BYTES = (393, 633, 807, 837, 891, 987, 1_220, 1_384, 1_774, 2_528)

#: What the JSON of a request and an answer has around their texts, in bytes.
_REQUEST_FRAME, _ANSWER_FRAME = 70, 390
#: Calls are made in bursts, this many seconds apart.
_TICK = 0.01


def _calls(deciles: list[int]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield a client and the arguments of a call, for each size in turn."""
    made = []
    for decile in deciles:
        text = "x" * max(1, REQUEST_BYTES[decile] - _REQUEST_FRAME)
        answer = "y" * max(1, ANSWER_BYTES[decile] - _ANSWER_FRAME)
        messages = [{"role": "user", "content": text}]
        request = {"model": "gpt-5.4-mini", "messages": messages}
        ready = canned.client(canned.said(answer)).chat.completions.create(**request)
        made.append((ready, request))
    return cycle(made)


def _offer(calls: Iterator[Any], create: Any, rate: float, seconds: float) -> int:
    began, made = perf_counter(), 0
    while (passed := perf_counter() - began) < seconds:
        for _ in range(int(passed * rate) - made):
            ready, request = next(calls)
            create.answer = ready
            create(**request)
            made += 1
        sleep(_TICK)
    return made


def main() -> None:
    """Offer what the command line says, and print what it took.

    The JSON has ``calls``, ``seconds`` (of the load), ``cpu`` (of the process, with all
    that was delivered afterwards, less a start), and ``disk`` (bytes in the spool
    before anything was taken out of it).
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=[BARE, OURS])
    parser.add_argument("sink")
    parser.add_argument("mode", choices=["on", "spool only"])
    parser.add_argument("--rate", type=float, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--deciles", type=int, nargs="+", default=list(range(10)))
    wanted = parser.parse_args()
    calls = _calls(wanted.deciles)

    from openai.resources.chat.completions import Completions

    def create(self: Any, **kwargs: Any) -> Any:
        return offered.answer

    Completions.create = create  # type: ignore[method-assign]
    _, switched = Switch.around(
        lambda: LIBRARIES[wanted.library].switch_on(wanted.sink, wanted.mode)
    )
    resource = canned.client(canned.said("")).chat.completions

    class Offered:
        answer: Any = None

        def __call__(self, **kwargs: Any) -> Any:
            return resource.create(**kwargs)

    offered = Offered()
    _offer(calls, offered, 50, 0.2)
    switched.flush()
    began, cpu = perf_counter(), process_time()
    made = _offer(calls, offered, wanted.rate, wanted.seconds)
    seconds = perf_counter() - began
    switched.flush()
    cpu = process_time() - cpu
    spool = os.environ.get("LIBRETTO_SPOOL_DIR")
    files = Path(spool).rglob("*.seg") if spool else ()
    print(
        json.dumps(
            {
                "calls": made,
                "seconds": seconds,
                "cpu": cpu,
                "disk": sum(file.stat().st_size for file in files),
                "posts": sink.get_counts(wanted.sink).get("posts", 0),
            }
        )
    )


if __name__ == "__main__":
    main()
