"""How the cost of a call grows with what is large about it; as a table, and as plots.

    python benchmarks/growth.py                    every axis
    python benchmarks/growth.py --axis threads     one; may be repeated
    python benchmarks/growth.py --plot growth.svg  a picture, too; needs matplotlib

Each point is a fresh process in which openai's own work is left out: beneath the
recording, `create` returns an answer made ahead. What is left is ours: CPU of the
caller's thread a call, or of the whole process where many threads share the work.
"""

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import process_time_ns, thread_time_ns
from typing import Any

import collector
from attrs import frozen
from bench import canned, machine
from bench.library import KEY
from bench.sink import running_sink
from bench.tables import table

import libretto_instrument as libretto

_HERE = Path(__file__).parent


@frozen
class Axis:
    """One thing that can be large.

    Attributes:
        title: What the table and the plot call it.
        points: How large, from small to large.
        measure: Takes a point and a sink's address, and returns µs.
        what: What the µs are of.
        rounds: Maximum number of processes that measure a point.
    """

    title: str
    points: Sequence[int]
    measure: Callable[[int, str], float]
    what: str = "caller's thread, a call"
    rounds: int = 9


def _install(sink: str, **options: Any) -> None:
    os.environ["LIBRETTO_API_PREFIX"] = sink
    libretto.install(api_key=KEY, prompt_template_name="bench", **options)


def _request(size: int = 500) -> dict[str, Any]:
    messages = [{"role": "user", "content": "x" * 500}] * max(1, size // 500)
    return {"model": "gpt-5.4-mini", "messages": messages}


def _per_call(create: Callable[[], object], calls: int) -> float:
    """Return the 10th percentile of a call, in µs of the caller's thread."""
    times = []
    for _ in range(calls):
        began = thread_time_ns()
        create()
        times.append(thread_time_ns() - began)
    return statistics.quantiles(times, n=10, method="inclusive")[0] / 1_000


def _ready(**options: Any) -> Any:
    canned.make_ahead(canned.said("yes"), _request())
    completions = canned.client(canned.said("yes"), **options).chat.completions
    # Looked up for each call: a method taken before `install` is not the wrapped one.
    return lambda **request: completions.create(**request)  # noqa: PLW0108


def _by_request(size: int, sink: str) -> float:
    create, request = _ready(), _request(size)
    bare = _per_call(lambda: create(**request), 200)
    _install(sink)
    calls = max(20, min(300, 20_000_000 // size))
    return _per_call(lambda: create(**request), calls) - bare


def _by_chunks(chunks: int, sink: str) -> float:
    answer = canned.streamed(chunks - 1)
    completions = canned.client(answer).chat.completions

    def read() -> None:
        for _ in completions.create(stream=True, **_request()):
            pass

    calls = max(8, 6_000 // chunks)
    bare = _per_call(read, calls)
    _install(sink)
    return (_per_call(read, calls) - bare) / chunks


def _by_threads(count: int, sink: str) -> float:
    create, request = _ready(), _request()
    calls = 4_096 // count

    def run() -> float:
        def work() -> None:
            for _ in range(calls):
                create(**request)

        threads = [threading.Thread(target=work) for _ in range(count)]
        began = process_time_ns()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        libretto.flush(120)
        return (process_time_ns() - began) / (count * calls) / 1_000

    bare = run()
    _install(sink)
    run()
    return run() - bare


def _by_tasks(count: int, sink: str) -> float:
    import openai

    create, request = _ready(kind=openai.AsyncOpenAI), _request()
    rounds = max(1, 10_000 // count)

    async def all_tasks() -> None:
        for _ in range(rounds):
            await asyncio.gather(*(create(**request) for _ in range(count)))

    def run() -> float:
        began = process_time_ns()
        asyncio.run(all_tasks())
        libretto.flush(120)
        return (process_time_ns() - began) / (count * rounds) / 1_000

    bare = run()
    _install(sink)
    run()
    return run() - bare


def _by_queue(length: int, sink: str) -> float:
    create, request = _ready(), _request()
    bare = _per_call(lambda: create(**request), 500)
    _install("http://127.0.0.1:9", queue_max_events=max(1, length), exit_timeout=0)
    for _ in range(length):
        create(**request)
    return _per_call(lambda: create(**request), 500) - bare


def _by_exporters(count: int, sink: str) -> float:
    class Nowhere:
        def __init__(self, number: int) -> None:
            self.name = f"nowhere-{number}"

        def export(self, records: Sequence[Any]) -> None:
            """Take the events, and do nothing."""

        def flush(self, timeout: float) -> None:
            """Have nothing to wait for."""

        def close(self) -> None:
            """Have nothing to release."""

    create, request = _ready(), _request()

    def run() -> float:
        began = process_time_ns()
        for _ in range(2_000):
            create(**request)
        libretto.flush(120)
        return (process_time_ns() - began) / 2_000 / 1_000

    bare = run()
    _install(sink, exporters=[Nowhere(number) for number in range(count)])
    run()
    return run() - bare


def _by_spool(megabytes: int, sink: str) -> float:
    create, request = _ready(), _request(500_000)
    bare = _per_call(lambda: create(**_request()), 500)
    with tempfile.TemporaryDirectory() as spool:
        _install(sink, spool_dir=spool, spool_only=True, spool_max_bytes=4 * 10**9)
        for _ in range(2 * megabytes):
            create(**request)
        took = _per_call(lambda: create(**_request()), 500) - bare
        libretto.shutdown(5)
    return took


def _by_events(count: int, sink: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "libretto.db"
        with collector.running(db) as (_, port):
            collector.fill(port, count)
            return 1_000 * statistics.median(
                collector.measure_page(port, path.format(middle=count // 2), 5)
                for path in collector.PAGES.values()
            )


AXES = {
    "request": Axis(
        "bytes of a request", [10**3, 10**4, 10**5, 10**6, 10**7], _by_request
    ),
    "chunks": Axis(
        "chunks of a stream",
        [10, 100, 1_000, 10_000],
        _by_chunks,
        "caller's thread, a chunk",
    ),
    "threads": Axis(
        "threads", [1, 4, 16, 64, 256], _by_threads, "whole process, a call"
    ),
    "tasks": Axis(
        "tasks", [1, 10, 100, 1_000, 10_000], _by_tasks, "whole process, a call"
    ),
    "queue": Axis("events in the queue", [1, 100, 1_000, 10_000], _by_queue),
    "exporters": Axis(
        "exporters", [1, 2, 4, 8], _by_exporters, "whole process, a call"
    ),
    "spool": Axis("MB in the spool", [1, 10, 100, 1_000], _by_spool),
    "events": Axis(
        "events in the local Libretto",
        [10**4, 10**5, 10**6],
        _by_events,
        "a page, the median of all",
        rounds=1,
    ),
}


def main() -> None:
    """Measure, print the table, and draw the plots."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--axis", action="append", choices=AXES)
    parser.add_argument("--rounds", type=int, default=3, help="processes a point")
    parser.add_argument("--plot", type=Path, metavar="FILE")
    parser.add_argument("--point", nargs=3, help=argparse.SUPPRESS)
    wanted = parser.parse_args()
    if wanted.point:
        name, point, sink = wanted.point
        print(json.dumps(AXES[name].measure(int(point), sink)))
        return
    found = {}
    print(f"{machine.describe()}; {machine.load()}\n")
    for name in wanted.axis or AXES:
        found[name] = [
            _measure(name, point, min(wanted.rounds, AXES[name].rounds))
            for point in AXES[name].points
        ]
    print("\n".join(table(["", "µs of", "from small to large"], _rows(found))))
    if wanted.plot:
        _plot(found, wanted.plot)


def _measure(name: str, point: int, rounds: int) -> float:
    """Return the median of what some fresh processes found."""
    print(f"{name}: {point:,} …", file=sys.stderr)
    with running_sink() as sink:
        command = [sys.executable, __file__, "--point", name, str(point), sink]
        results = [
            json.loads(subprocess.check_output(command, cwd=_HERE, text=True))
            for _ in range(rounds)
        ]
    return statistics.median(results)


def _rows(found: dict[str, list[float]]) -> Iterator[list[str]]:
    for name, values in found.items():
        axis = AXES[name]
        cells = [
            f"{point:,}: {value:,.1f}"
            for point, value in zip(axis.points, values, strict=True)
        ]
        yield [axis.title, axis.what, "; ".join(cells)]


def _plot(found: dict[str, list[float]], path: Path) -> None:
    from matplotlib import pyplot

    figure, places = pyplot.subplots(
        (len(found) + 2) // 3, 3, figsize=(12, 9), squeeze=False, layout="constrained"
    )
    for place in places.flat[len(found) :]:
        place.set_visible(False)
    for place, (name, values) in zip(places.flat, found.items(), strict=False):
        axis = AXES[name]
        place.plot(axis.points, values, marker="o", color="#2457a8")
        place.set(xscale="log", xlabel=axis.title, ylabel=f"µs, {axis.what}")
        is_steep = max(values) > 20 * max(min(values), 0.1)
        place.set_yscale("log" if is_steep else "linear")
        if not is_steep:
            place.set_ylim(bottom=min(0.0, *values))
        place.grid(alpha=0.3)
    figure.savefig(path)


if __name__ == "__main__":
    main()
