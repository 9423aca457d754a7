"""Feedback and the results of chains: keys, errors and what arrives."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

import openai
import pytest
from support.backend import Backend

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig
from libretto_instrument._runtime.state import runtime
from libretto_instrument.testing import CapturedEvents

KEY = UUID("12345678-1234-5678-1234-567812345678")
MESSAGES: Any = [{"role": "user", "content": "Hi there"}]


# What is refused


@pytest.mark.parametrize(
    "said",
    [
        {"rating": -0.01},
        {"rating": 1.01},
        {"rating": 5},
        {"rating": float("nan")},
        {"rating": 2, "better_response": "text"},
        {},
        {"rating": None, "better_response": None},
        {"is_deleted": False},
    ],
)
def test_wrong_values(said: dict[str, Any], events: CapturedEvents) -> None:
    """A rating outside [0, 1], and feedback that says nothing, is a ValueError."""
    with pytest.raises(ValueError, match=r"rating"):
        libretto.send_feedback("key", **said)
    assert events.feedback == []


@pytest.mark.parametrize(
    ("said", "named"),
    [
        ({"rating": "1"}, "rating"),
        ({"rating": True}, "rating"),
        ({"rating": [1]}, "rating"),
        ({"better_response": 7}, "better_response"),
        ({"better_response": ["text"]}, "better_response"),
        ({"feedback_key": "", "rating": 1}, "feedback_key"),
        ({"feedback_key": None, "rating": "good"}, "rating"),
        ({"feedback_key": 7, "rating": 1}, "feedback_key"),
    ],
)
def test_wrong_types(said: dict[str, Any], named: str, events: CapturedEvents) -> None:
    """An argument of the wrong type is a TypeError that names it."""
    with pytest.raises(TypeError, match=f"^{named} must be"):
        libretto.send_feedback(**{"feedback_key": "key", **said})
    assert events.feedback == []


@pytest.mark.parametrize("chain_id", ["", 7, b"id"])
def test_wrong_chains(chain_id: Any, events: CapturedEvents) -> None:
    """A chain's id that is none is a TypeError, told when the chain is begun."""
    with pytest.raises(TypeError, match=r"^chain_id must be"):
        libretto.update_chain(chain_id, "result")
    with pytest.raises(TypeError, match=r"^chain_id must be"):
        libretto.chain(chain_id)
    assert events.chain_results == []


def test_a_chain_to_update_must_be_named() -> None:
    """Where there is no chain, None is not a chain's id."""
    with pytest.raises(TypeError, match=r"^chain_id must be"):
        libretto.update_chain(None, "result")  # type: ignore[arg-type]  # the point


# What arrives


@pytest.mark.parametrize(
    ("said", "body"),
    [
        ({"rating": 0}, {"rating": 0}),
        ({"rating": 1.0}, {"rating": 1.0}),
        ({"better_response": "better"}, {"better_response": "better"}),
        (
            {"rating": 0.5, "better_response": ""},
            {"rating": 0.5, "better_response": ""},
        ),
        ({"is_deleted": True}, {"is_deleted": True}),
    ],
)
def test_feedback_arrives(
    backend: Backend, said: dict[str, Any], body: dict[str, Any]
) -> None:
    """Feedback arrives at /feedback as the contract has it, and with nothing else."""
    libretto.install(api_key="key")
    libretto.send_feedback(KEY, **said)
    assert libretto.flush(10)
    assert [(request.path, request.json) for request in backend.received] == [
        ("/feedback", {"feedback_key": str(KEY), "apiKey": "key", **body})
    ]


def test_feedback_on_what_was_not_recorded(backend: Backend) -> None:
    """Feedback on a response that was not recorded raises nothing."""
    libretto.install(api_key="key")
    before = libretto.stats().accepted
    libretto.send_feedback(libretto.feedback_key(object()), rating=1)
    assert libretto.flush()
    assert libretto.stats().accepted == before
    assert backend.stored("feedback") == []


@pytest.mark.parametrize("result", ["text", {"a": [1, None]}, None, False])
def test_a_result_arrives(backend: Backend, result: Any) -> None:
    """A chain's result arrives at /v1/updateChain, whatever JSON value it is."""
    libretto.install(api_key="key")
    libretto.update_chain(KEY, result)
    assert libretto.flush(10)
    assert [(request.path, request.json) for request in backend.received] == [
        ("/v1/updateChain", {"id": str(KEY), "apiKey": "key", "result": result})
    ]


def tell_feedback(**options: Any) -> None:
    libretto.send_feedback("key", rating=1, **options)


def tell_result(**options: Any) -> None:
    libretto.update_chain("chain", "result", **options)


def tell_by_chain(**options: Any) -> None:
    with libretto.chain("chain", **options) as chain:
        chain.result = "result"


each_tell = pytest.mark.parametrize("tell", [tell_feedback, tell_result, tell_by_chain])


@each_tell
def test_whose_feedback_it_is(
    backend: Backend,
    client: openai.OpenAI,
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[..., None],
) -> None:
    """The key is the scope's, else the client's, else the installed one, else the
    environment's."""
    monkeypatch.setenv("LIBRETTO_API_KEY", "of the environment")
    libretto.install()
    tell()
    libretto.install(api_key="installed")
    tell()
    libretto.attach(client, LibrettoConfig(api_key="of the client"))
    tell(client=client)
    with libretto.scope(api_key="of the scope"):
        tell(client=client)
    tell()
    assert libretto.flush(10)
    assert [request.json["apiKey"] for request in backend.received] == [
        "of the environment",
        "installed",
        "of the client",
        "of the scope",
        "installed",
    ]


@each_tell
def test_nothing_need_be_installed(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, tell: Callable[..., None]
) -> None:
    """A process that only gives feedback needs a key in the environment, and no
    install()."""
    monkeypatch.setenv("LIBRETTO_API_KEY", "of the environment")
    tell()
    assert libretto.flush(10)
    assert [request.json["apiKey"] for request in backend.received] == [
        "of the environment"
    ]


@each_tell
def test_no_key(
    backend: Backend, caplog: pytest.LogCaptureFixture, tell: Callable[..., None]
) -> None:
    """Without a key one warning names the variable, and then it is quiet."""
    for _ in range(3):
        tell()
    assert libretto.flush(10)
    assert backend.received == []
    (message,) = caplog.messages
    assert "LIBRETTO_API_KEY" in message


@each_tell
def test_switched_off(backend: Backend, tell: Callable[..., None]) -> None:
    """Where recording is switched off, nothing is reported either."""
    libretto.install(api_key="key", enabled=False)
    tell()
    assert libretto.flush(10)
    assert backend.received == []


@pytest.mark.usefixtures("lenient")
@each_tell
def test_a_fault_of_ours(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    tell: Callable[..., None],
) -> None:
    """A fault while something is taken for delivery never reaches the caller."""

    def fail(item: object) -> None:
        raise MemoryError

    libretto.install(api_key="key")
    monkeypatch.setattr(runtime, "sink", fail)
    tell()
    (message,) = caplog.messages
    assert "MemoryError in api.submit" in message


def test_hooks_are_for_events(backend: Backend) -> None:
    """before_send sees events, not feedback, which has other keys."""
    seen: list[Any] = []
    libretto.install(api_key="key", before_send=seen.append)
    tell_feedback()
    tell_result()
    assert libretto.flush(10)
    assert seen == []
    assert len(backend.received) == 2
