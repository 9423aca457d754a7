"""Other libraries that patch openai, before us and after us.

``LIBRETTO_PATCHER`` names the one to try; each is tried in a process of its own.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any

import openai
import pytest
from openai.resources.chat.completions import AsyncCompletions, Completions
from sameness import Gateway

import libretto_instrument as libretto
from libretto_instrument.testing import CapturedEvents, capture_events

ASK: dict[str, Any] = {
    "model": "any",
    "messages": [{"role": "user", "content": "Hello you"}],
}
TARGETS = ((Completions, "create"), (AsyncCompletions, "create"))


@contextmanager
def openinference() -> Iterator[None]:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    yield
    OpenAIInstrumentor().uninstrument()


@contextmanager
def opentelemetry() -> Iterator[None]:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    OpenAIInstrumentor().instrument()
    yield
    OpenAIInstrumentor().uninstrument()


@contextmanager
def langfuse() -> Iterator[None]:
    """It patches when it is imported, and never stops."""
    os.environ.setdefault("LANGFUSE_TRACING_ENABLED", "false")
    import langfuse.openai  # noqa: F401

    yield


@contextmanager
def ddtrace() -> Iterator[None]:
    os.environ.setdefault("DD_TRACE_ENABLED", "false")
    os.environ.setdefault("DD_REMOTE_CONFIGURATION_ENABLED", "false")
    os.environ.setdefault("DD_INSTRUMENTATION_TELEMETRY_ENABLED", "false")
    from ddtrace.contrib.internal.openai.patch import patch, unpatch

    patch()
    yield
    unpatch()


PATCHERS: dict[str, Callable[[], Any]] = {
    patcher.__name__: patcher for patcher in (openinference, opentelemetry, langfuse)
} | {"ddtrace": ddtrace}
THEIRS = PATCHERS[os.environ["LIBRETTO_PATCHER"]]


def outcome() -> Any:
    """Make each kind of call, and return what the caller gets."""
    with openai.OpenAI(max_retries=0) as client:
        create = client.chat.completions.create
        whole = create(**ASK).choices
        with create(**ASK, stream=True) as stream:
            pieces = [piece.choices for piece in stream]
        raw = client.chat.completions.with_raw_response.create(**ASK).parse()
        said = client.responses.create(model="any", input="Hello you").output_text
        with pytest.raises(openai.RateLimitError) as raised:
            create(**{**ASK, "model": "offline-error-429"})
        return whole, pieces, raw.choices, said, str(raised.value)


CALLS = 5


@pytest.mark.parametrize(
    ("ours_first", "ours_off_first"), list(product([True, False], repeat=2))
)
def test_both_orders_of_install_and_removal(
    ours_first: bool, ours_off_first: bool, running: Gateway
) -> None:
    """Together, one event a call; apart, each is gone and the other still there."""
    if THEIRS is ddtrace and not ours_first and not ours_off_first:
        pytest.skip("ddtrace takes off what lies on top, and leaves its own broken")
    bare = outcome()
    before = [owner.__dict__[name] for owner, name in TARGETS]
    ours, theirs = capture_events(), THEIRS()
    if ours_first:
        events: CapturedEvents = ours.__enter__()
        theirs.__enter__()
    else:
        theirs.__enter__()
        events = ours.__enter__()
    assert outcome() == bare
    assert len(events) == CALLS
    if ours_off_first:
        ours.__exit__(None, None, None)
        assert outcome() == bare
        assert len(events) == CALLS
        theirs.__exit__(None, None, None)
    else:
        theirs.__exit__(None, None, None)
        assert outcome() == bare
        assert len(events) == 2 * CALLS
        ours.__exit__(None, None, None)
    recorded = len(events)
    assert outcome() == bare
    assert len(events) == recorded
    assert not libretto.installed()
    if THEIRS is openinference or ours_first is not ours_off_first:
        return  # What is left, asleep or theirs, is no concern of ours.
    if THEIRS is not langfuse:
        assert [owner.__dict__[name] for owner, name in TARGETS] == before


def test_installed_again_beneath_theirs(running: Gateway) -> None:
    """Off and on again inside a foreign wrapper, a call is still one event."""
    with THEIRS():
        for _ in range(3):
            with capture_events() as events:
                outcome()
                assert len(events) == CALLS
    outcome()
    assert len(events) == CALLS
