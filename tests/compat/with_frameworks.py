"""Frameworks that are built on openai: bare and recorded, and how prompts are named.

LIBRETTO_FRAMEWORK names one; `programs.py` tells how it is made to call a model.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import programs
import pytest
from sameness import Gateway, same, same_outcome
from support.backend import Backend
from workers import environment

import libretto_instrument as libretto
from libretto_instrument.testing import capture_events

NAME = os.environ.get("LIBRETTO_FRAMEWORK", "")

#: They would send statistics of their own, or ask before they do.
QUIET = {
    "AGNO_TELEMETRY": "false",
    "ANONYMIZED_TELEMETRY": "false",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "HAYSTACK_TELEMETRY_ENABLED": "false",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    "MEM0_TELEMETRY": "false",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
    "OTEL_SDK_DISABLED": "true",
    "RAGAS_DO_NOT_TRACK": "true",
}

#: Records from the start of the process, as the framework is imported and used.
DELIVERED = """
import sys
import libretto_instrument as libretto

libretto.install(api_key="key", prompt_template_name="delivered")
import programs

program = programs.find(sys.argv[1])
for _ in range(3):
    program.chat("any")
"""


@pytest.fixture
def program(running: Gateway, monkeypatch: pytest.MonkeyPatch) -> programs.Program:
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    return programs.find(NAME)


def names(ask: Callable[[], Any], **fields: Any) -> list[Any]:
    """Return the names of the prompts of the calls made in a scope."""
    with capture_events() as events, libretto.scope(**fields):
        ask()
    return [event.get("promptTemplateName", event.get("apiName")) for event in events]


@pytest.mark.parametrize("situation", ["chat", "stream", "tools"])
def test_as_bare(program: programs.Program, running: Gateway, situation: str) -> None:
    """A chat, a stream and a tool's call come to the same."""
    ask = getattr(program, situation)
    if ask is None:
        pytest.skip(f"no {situation}")
    events = same(lambda: ask("any"), running)
    if situation == "tools":
        assert events[0]["toolCalls"]


def test_other_ways(program: programs.Program, running: Gateway) -> None:
    """Async, structured and by another API, a call comes to the same."""
    if not program.others:
        pytest.skip("no other ways")
    for ask in program.others.values():
        same(partial(ask, "any"), running)


@pytest.mark.parametrize(
    ("situation", "model"),
    [
        ("chat", "offline-error-400"),
        ("stream", "offline-error-400"),
        ("stream", "offline-stream-error"),
        ("stream", "offline-stream-cut"),
    ],
)
def test_errors(
    program: programs.Program, running: Gateway, situation: str, model: str
) -> None:
    """An error comes to the same, and its event has it."""
    ask = getattr(program, situation)
    if ask is None:
        pytest.skip(f"no {situation}")
    events = same_outcome(partial(ask, model), running)
    assert all(event["responseErrors"] for event in events)


def test_delivered(program: programs.Program, running: Gateway) -> None:
    """Recorded from the first import on, no call fails, and each event arrives once."""
    running.answered()
    with Backend() as backend:
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", DELIVERED, NAME],
            env=environment(backend),
            timeout=600,
            check=True,
        )
        ids = [event["promptEventId"] for event in backend.events]
    assert len(ids) == len(set(ids)) == running.answered() >= 3


def test_named_by_a_scope(program: programs.Program) -> None:
    """Every call in a scope has its name."""
    assert set(names(lambda: program.chat("any"), prompt_template_name="a")) == {"a"}


def test_named_by_the_call(program: programs.Program) -> None:
    """What the framework passes on names the call."""
    if program.keyword is None:
        pytest.skip("it passes nothing on")
    keyword = program.keyword
    assert names(lambda: keyword({"prompt_template_name": "a"})) == ["a"]


def test_named_by_its_template(program: programs.Program) -> None:
    """A known template is recognised in what the framework sends."""
    template = [{"role": "user", "content": "Hello {who}"}]
    found = names(lambda: program.chat("any"), templates={"greeting": template})
    assert (found == ["greeting"]) is program.keeps_messages


def test_named_by_the_caller(program: programs.Program) -> None:
    """The program's own function names its prompts, if it is on the stack."""
    found = names(lambda: program.chat("any"), allow_unnamed_prompts="caller")
    own = {__name__, "sameness", *programs.MODULES}
    assert all(str(name).split(".", 1)[0] in own for name in found) is (
        program.is_called_directly
    )


def test_threads(program: programs.Program, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the framework runs at the same time has the scope around it, in threads at
    least with `propagate`."""
    if program.on_threads is None:
        pytest.skip("it has no threads")
    from concurrent.futures import ThreadPoolExecutor
    from threading import Thread

    found = names(program.on_threads, prompt_template_name="a")
    assert (set(found) != {"a"}) is program.loses_scopes
    monkeypatch.setattr(ThreadPoolExecutor, "submit", ThreadPoolExecutor.submit)
    monkeypatch.setattr(Thread, "start", Thread.start)
    libretto.propagate(ThreadPoolExecutor)
    libretto.propagate(Thread)
    assert set(names(program.on_threads, prompt_template_name="a")) == {"a"}
