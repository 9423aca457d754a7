"""Where the time goes: the steps of recording, by themselves and inside real calls.

    python benchmarks/parts.py

A step costs several times as much between other code as in a loop of its own, since
what it touches has left the processor's caches by then. Each column is a process; a
figure is the 10th percentile of the wall time between a step's beginning and its end,
in µs.
"""

import argparse
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from statistics import quantiles
from time import perf_counter_ns
from typing import Any

from bench import canned, machine
from bench.cases import CASES
from bench.sink import running_sink
from bench.tables import table

import libretto_instrument as libretto

#: Each scene by its title: how many chunks the answer has (none: no stream), and what
#: is different about it.
_SCENES = {
    "chat, openai's work left out": (0, "alone"),
    "chat": (0, ""),
    "stream of 2": (2, ""),
    "stream of 200": (200, ""),
    "chat, on disk": (0, "spool"),
}

#: Each step by what it does: the module, and the attribute there.
STEPS = {
    "start_call: settings, client, id": ("_capture.wrappers", "start_call"),
    "enter: copy of the request": ("_capture.call", "Call.__enter__"),
    "finish: the answer, or watching it": ("_capture.wrappers", "finish"),
    "prepare: the event, as JSON": ("_processing.serialize", "prepare"),
    "append: the write": ("_spool.spool", "Spool.append"),
    "send: one POST": ("_delivery.http", "HttpTransport.send"),
}

#: Calls made, and how many of them come first and are not counted.
_CALLS, _WARMING = 600, 100


def main() -> None:
    """Measure each scene in a process, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--scene", choices=_SCENES, help=argparse.SUPPRESS)
    scene = parser.parse_args().scene
    if scene is not None:
        print(json.dumps(_measure(*_SCENES[scene])))
        return
    print(f"{machine.describe()}; {machine.load()}\n")
    columns = {title: _in_a_process(title) for title in _SCENES}
    rows = (
        [step, *(_shown(column.get(step)) for column in columns.values())]
        for step in STEPS
    )
    print(*table(["µs", *columns], rows), sep="\n")


def _in_a_process(scene: str) -> dict[str, float]:
    command = [sys.executable, __file__, "--scene", scene]
    with running_sink() as sink:
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env=os.environ | {"LIBRETTO_API_PREFIX": sink},
        )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _measure(chunks: int, kind: str) -> dict[str, float]:
    case = CASES["stream" if chunks else "chat"]
    if chunks:
        case = replace(case, answer=canned.streamed(chunks - 1))
    if kind == "alone":
        canned.make_ahead(case.answer, case.request())
    spool = tempfile.mkdtemp(prefix="bench-") if kind == "spool" else None
    took = {step: _watched(*where) for step, where in STEPS.items()}
    libretto.install(
        api_key="bench",
        prompt_template_name="bench",
        spool_dir=spool,
        spool_only=spool is not None,
    )
    client = canned.client(case.answer)
    for _ in range(_CALLS):
        answer = client.chat.completions.create(**case.request())
        if chunks:
            for _ in answer:
                pass
    libretto.shutdown(60)
    if spool is not None:
        shutil.rmtree(spool)
    return {
        step: quantiles(times[_WARMING:], n=10)[0] / 1e3
        for step, times in took.items()
        if len(times) > _WARMING
    }


def find_step(module: str, name: str) -> tuple[Any, str]:
    """Return what a step's function is an attribute of, and the attribute."""
    owner: Any = importlib.import_module(f"libretto_instrument.{module}")
    *path, name = name.split(".")
    for part in path:
        owner = getattr(owner, part)
    return owner, name


def _watched(module: str, name: str) -> list[int]:
    """Have a function's times noted from now on, in ns."""
    owner, name = find_step(module, name)
    watched: Callable[..., Any] = getattr(owner, name)
    took: list[int] = []

    def timed(*args: Any, **kwargs: Any) -> Any:
        began = perf_counter_ns()
        try:
            return watched(*args, **kwargs)
        finally:
            took.append(perf_counter_ns() - began)

    setattr(owner, name, timed)
    return took


def _shown(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


if __name__ == "__main__":
    main()
