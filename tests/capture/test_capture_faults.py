"""A fault of ours at any step of a call is the caller's no concern."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import openai
import pytest
from openai.resources.chat.completions import AsyncCompletions, Completions
from support.faults import raising, steps
from support.scripted import DEADLINE, ScriptedModel

import libretto_instrument as libretto
from libretto_instrument import _guard
from libretto_instrument._runtime import runtime

from .courses import ASYNC_COURSES, COURSES, SECRET, AsyncCourse, Course, plain

pytestmark = pytest.mark.usefixtures("ids_ready")

#: The user's call itself runs in these; all that they do of their own is in a zone.
ON_THE_USERS_PATH = {
    "_drivers._taken",  # refuses a wrong libretto=
    "_drivers.drive",
    "_drivers.__init__",  # holds openai's coroutine
    "_drivers.answer",
    "_recording.follow",
    "_recording.follow_async",
    "_recording.keep",
    "_recording.keep_async",
    "_streams.__iter__",
    "_streams.__next__",
    "_streams.__enter__",
    "_streams.__exit__",
    "_streams.__aiter__",
    "_streams.__anext__",
    "_streams.__aenter__",
    "_streams.__aexit__",
    "_streams.close",
    "_watch.close",
    "_watch.aclose",
    "_watch.iter_bytes",
    "_watch.aiter_bytes",
    "_views.__get__",  # looks up the method of a raw view
    "_views.__set__",
    # A wrong libretto= is refused here, in the caller's face.
    "_config.call_given",
    "_config.given",
    "_config._set_fields",
    "_config.<dictcomp>",
}

#: These contain the faults of all that they call. None is longer than a screen.
ZONES = {
    "_call.begin",
    "_call.start",
    "_call.leave",
    "_call.answered",
    "_call.said",
    "_call.failed",
    "_call.submit",
    "_drivers.hand_back",
    "_guard.swallow",
    "_guard.log",
    "_guard.quiet",
    "_recording._keep_no_more",
    "_recording.closed",
    "_recording.end",
    "_recording.failed",
    "_recording.leave",
    "_recording.read_on",
    "_watch.tell",
}

#: The interpreter calls these, and lets nothing out of them.
FINALIZERS = {"_keys.forget", "_recording.__del__", "_drivers.__del__"}


class Log(list[Any]):
    """What openai returned or raised, beneath our wrappers."""


@pytest.fixture
def returned(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Note what openai's own methods return, beneath our wrappers."""
    log = Log()
    create, acreate = Completions.create, AsyncCompletions.create

    def noting(self: Any, **kwargs: Any) -> Any:
        log.append(create(self, **kwargs))
        return log[-1]

    async def anoting(self: Any, **kwargs: Any) -> Any:
        log.append(await acreate(self, **kwargs))
        return log[-1]

    monkeypatch.setattr(Completions, "create", noting)
    monkeypatch.setattr(AsyncCompletions, "create", anoting)
    return log


@pytest.fixture
def submitted(
    returned: Log, lenient: None, monkeypatch: pytest.MonkeyPatch
) -> Iterator[list[Any]]:
    """Install the real thing, up to where records leave the caller's thread."""
    calls: list[Any] = []
    monkeypatch.setattr(runtime, "sink", calls.append)
    install()
    yield calls
    libretto.uninstall()


def install() -> None:
    """Install anew, so that nothing is remembered of settings worked out before."""
    libretto.install(api_key="sk-libretto", prompt_template_name="n")


@pytest.mark.parametrize("course", COURSES)
def test_a_fault_at_any_step(
    course: Course,
    server: ScriptedModel,
    scripted: openai.OpenAI,
    returned: Log,
    submitted: list[Any],
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """A raise in any function of ours leaves a call as openai made it.

    (failure-modes 28)
    """

    def run() -> Any:
        returned.clear()
        answer, said = course(server, scripted)
        _assert_very_object(answer, returned)
        return said

    _strike_everywhere(run, warnings_of)
    assert submitted


@pytest.mark.parametrize("course", ASYNC_COURSES)
def test_a_fault_at_any_step_async(
    course: AsyncCourse,
    server: ScriptedModel,
    returned: Log,
    submitted: list[Any],
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """A raise in any function of ours leaves an async call as openai made it.

    (failure-modes 28)
    """

    async def main() -> Any:
        async with openai.AsyncOpenAI(
            api_key="sk-test", base_url=server.url, max_retries=0, timeout=DEADLINE
        ) as client:
            return await course(server, client)

    def run() -> Any:
        returned.clear()
        answer, said = asyncio.run(main())
        _assert_very_object(answer, returned)
        return said

    _strike_everywhere(run, warnings_of)
    assert submitted


def _assert_very_object(answer: Any, returned: Log) -> None:
    """Hold that the caller got what openai returned, or a proxy of that stream."""
    if answer is not None and returned:
        assert getattr(answer, "__wrapped__", answer) is returned[-1]


def test_a_fault_at_any_step_in_a_scope(
    server: ScriptedModel,
    scripted: openai.OpenAI,
    returned: Log,
    submitted: list[Any],
    warnings_of: pytest.LogCaptureFixture,
) -> None:
    """A raise in any function of ours, in a scope, is no concern of the caller.

    (failure-modes 28)
    """

    def run() -> Any:
        return plain(server, scripted)[1]

    with libretto.scope(context={"user": 1}, annotate_responses=False):
        _strike_everywhere(run, warnings_of)
    assert submitted


def _strike_everywhere(run: Callable[[], Any], log: pytest.LogCaptureFixture) -> None:
    bare = run()
    install()
    found = {
        code: name
        for code, name in steps(run).items()
        if name not in ON_THE_USERS_PATH | ZONES | FINALIZERS
    }
    assert len(found) > 8, sorted(found.values())
    harm = {}
    for code, name in found.items():
        try:
            _guard.reset()
            log.clear()
            for _ in range(2):
                install()
                with raising(code) as raised:
                    assert run() == bare
                assert raised, "the step was not reached again"
            lines = [record.getMessage() for record in log.records]
            assert len(lines) == 1, lines
            assert "Fault in " in lines[0]
            assert SECRET not in log.text
        except Exception as exc:
            harm[name] = f"{type(exc).__name__}: {exc}"
    assert harm == {}
