"""One measurement, in a fresh process: what a library adds to one kind of call.

Bare and recorded calls take turns, block by block, in the same process. On a machine
that others share the speed changes by half within a block. So blocks are not compared:
the fastest calls of all bare blocks are, with the fastest of all recorded ones. Printed
is one line of JSON; see `main`.
"""

import argparse
import asyncio
import gc
import json
import statistics
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from time import perf_counter_ns, process_time_ns, thread_time_ns
from typing import Any

import openai

from . import canned, sink
from .cases import CASES, Case
from .libraries import LIBRARIES, OURS
from .switch import Switch

#: What calls came to, by the names of `Times`'s fields, in nanoseconds.
Summary = dict[str, float]

_END = object()

#: Calls of either kind made first, and not counted.
_WARMING = 10

#: The first chunks of a stream are not like the others, nor is what comes at its end.
_ODD_CHUNKS = 5


@dataclass
class Times:
    """What all calls of one kind took, in nanoseconds.

    Attributes:
        caller: CPU of the caller's thread for a call, less what `chunk` has.
        chunk: The same for one chunk of a stream.
        first: Wall time from before a call to its first chunk.
        process: CPU of all threads for a call, with its delivery: the mean of a block.
    """

    caller: list[int] = field(default_factory=list)
    chunk: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    process: list[int] = field(default_factory=list)

    def summary(self) -> Summary:
        """Return the 10th percentile of each, but for what was not measured.

        That is what it takes when nothing else gets in the way.
        """
        return {name: _tenth(values) for name, values in vars(self).items() if values}


def _tenth(values: Sequence[int]) -> float:
    if len(values) < 2:
        return values[0]
    return statistics.quantiles(values, n=10, method="inclusive")[0]


def call(case: Case, client: Any, times: Times, *, recording: bool) -> None:
    """Make one call and take its times."""
    request = case.request()
    extra = case.extra() if recording else {}
    around = case.around if recording else nullcontext
    chunks: list[int] = []
    began = perf_counter_ns()
    started = thread_time_ns()
    with around():
        answer = client.chat.completions.create(**request, **extra)
        if "stream" in request:
            pieces = iter(answer)
            next(pieces)
            times.first.append(perf_counter_ns() - began)
            before = thread_time_ns()
            while next(pieces, _END) is not _END:
                after = thread_time_ns()
                chunks.append(after - before)
                before = after
    _keep(times, thread_time_ns() - started, chunks)


async def call_async(case: Case, client: Any, times: Times, *, recording: bool) -> None:
    """Make one call and take its times, as `call` does."""
    request = case.request()
    extra = case.extra() if recording else {}
    around = case.around if recording else nullcontext
    chunks: list[int] = []
    began = perf_counter_ns()
    started = thread_time_ns()
    with around():
        answer = await client.chat.completions.create(**request, **extra)
        if "stream" in request:
            pieces = aiter(answer)
            await anext(pieces)
            times.first.append(perf_counter_ns() - began)
            before = thread_time_ns()
            while await anext(pieces, _END) is not _END:
                after = thread_time_ns()
                chunks.append(after - before)
                before = after
    _keep(times, thread_time_ns() - started, chunks)


def _keep(times: Times, whole: int, chunks: list[int]) -> None:
    even = chunks[_ODD_CHUNKS:-_ODD_CHUNKS]
    times.chunk.extend(even)
    times.caller.append(whole - sum(even))


def take_turns(
    one: Callable[[Times, bool], object],
    turn: Callable[[bool], None],
    flush: Callable[[], object],
    blocks: int,
    size: int,
) -> tuple[Summary, Summary]:
    """Let bare and recorded blocks of calls take turns.

    Args:
        one: Makes a call.
        turn: Switches recording on or off.
        flush: Waits for the delivery.
        blocks: How many blocks of each.
        size: How many calls in a block.

    Returns:
        What the bare calls came to, and the recorded ones.
    """
    pair = (Times(), Times())
    for number in range(blocks):
        for recording in (False, True) if number % 2 else (True, False):
            turn(recording)
            times = pair[recording]
            gc.collect()
            started = process_time_ns()
            for _ in range(size):
                one(times, recording)
            flush()
            times.process.append((process_time_ns() - started) // size)
    bare, recorded = pair
    return bare.summary(), recorded.summary()


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "work tree"


def main() -> None:
    """Measure what the command line says, and print it.

    The JSON has ``pair`` (what the bare and the recorded calls came to), ``posts`` and
    ``bytes`` (what the sink got for the recorded calls), and the versions.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("sink")
    parser.add_argument("--is-async", action="store_true")
    parser.add_argument("--blocks", type=int, required=True)
    wanted = parser.parse_args()

    case = CASES[wanted.case]
    library = LIBRARIES[wanted.library]
    kind = openai.AsyncOpenAI if wanted.is_async else openai.OpenAI
    bare = canned.client(case.answer, kind)
    _ = bare.chat.completions  # openai loads its modules when they are asked for.
    if case.alone:
        canned.make_ahead(case.answer, case.request())
    switch, switched = Switch.around(lambda: library.switch_on(wanted.sink, case.mode))
    clients = (bare, switched.wrap(canned.client(case.answer, kind)))
    loop = asyncio.new_event_loop()

    def one(times: Times, recording: bool) -> None:
        client = clients[recording]
        if wanted.is_async:
            loop.run_until_complete(
                call_async(case, client, times, recording=recording)
            )
        else:
            call(case, client, times, recording=recording)

    def turn(recording: bool) -> None:
        switch.turn(recording=recording)

    before = sink.get_counts(wanted.sink)
    # Connections, caches and first imports belong to no call.
    take_turns(one, turn, switched.flush, _WARMING, 1)
    pair = take_turns(one, turn, switched.flush, wanted.blocks, case.size)
    switched.finish()
    after = sink.get_counts(wanted.sink)
    loop.run_until_complete(loop.shutdown_asyncgens())
    loop.close()

    posts, size = (after.get(key, 0) - before.get(key, 0) for key in ("posts", "bytes"))
    expected = (_WARMING + wanted.blocks * case.size) * case.events
    if wanted.library == OURS and posts != expected:
        raise SystemExit(f"{posts} events were delivered, not {expected}")
    print(
        json.dumps(
            {
                "pair": pair,
                "posts": posts,
                "bytes": size,
                "openai": openai.__version__,
                "version": _version(wanted.library),
            }
        )
    )


if __name__ == "__main__":
    main()
