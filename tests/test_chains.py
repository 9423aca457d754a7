"""Chains: scopes that group calls, and what they came to."""

from typing import Any
from uuid import UUID

import openai
import pytest
from support.backend import Backend, status

import libretto_instrument as libretto
from libretto_instrument.testing import CapturedEvents

KEY = UUID("12345678-1234-5678-1234-567812345678")
MESSAGES: Any = [{"role": "user", "content": "Hi there"}]


def plain(client: openai.OpenAI) -> Any:
    return client.chat.completions.create(model="any", messages=MESSAGES)


def text(client: openai.OpenAI) -> Any:
    return client.completions.create(model="any", prompt="Hi")


def test_a_chain_has_an_id_of_its_own(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """All calls inside a chain carry its id, a fresh UUID, and no others do."""
    with libretto.chain() as chain:
        plain(client)
        with libretto.scope(prompt_template_name="second"):
            text(client)
    plain(client)
    assert str(UUID(chain.id)) == chain.id
    assert [event.get("chainId") for event in events] == [chain.id, chain.id, None]
    assert libretto.chain().id != chain.id


def test_a_chain_may_be_given_its_id(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """A chain that began elsewhere goes on under its id, text or UUID."""
    with libretto.chain(KEY) as chain:
        plain(client)
    assert chain.id == events[0]["chainId"] == str(KEY)


def test_chains_nest(client: openai.OpenAI, events: CapturedEvents) -> None:
    """Inside two chains a call belongs to the inner one."""
    with libretto.chain() as outer:
        with libretto.chain() as inner:
            plain(client)
        plain(client)
    assert [event["chainId"] for event in events] == [inner.id, outer.id]


def test_a_result_is_reported_at_the_end(events: CapturedEvents) -> None:
    """What the chain came to is reported on leaving it, once, as it was last set."""
    with libretto.chain() as chain:
        chain.result = "first thought"
        chain.result = {"second": "thought"}
        assert events.chain_results == []
    assert events.chain_results == [
        {"id": chain.id, "apiKey": "testing", "result": {"second": "thought"}}
    ]


def test_no_result_is_no_report(events: CapturedEvents) -> None:
    """A chain without a result reports nothing, and None is a result."""
    with libretto.chain():
        pass
    assert events.chain_results == []
    with libretto.chain() as chain:
        chain.result = None
    assert [report["result"] for report in events.chain_results] == [None]


def fail_in_a_chain(result: str) -> None:
    with libretto.chain() as chain:
        chain.result = result
        raise LookupError


def test_a_chain_that_fails(events: CapturedEvents) -> None:
    """A chain that raises reports the result it had, and raises on."""
    with pytest.raises(LookupError):
        fail_in_a_chain("so far")
    assert [report["result"] for report in events.chain_results] == ["so far"]


async def test_async_chains(events: CapturedEvents) -> None:
    """A chain is an asynchronous context manager, too."""
    async with libretto.chain() as chain:
        chain.result = 1
    assert [report["id"] for report in events.chain_results] == [chain.id]


def test_a_decorated_function_is_a_chain_a_call(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """Each call of a function decorated with chain() is a chain of its own."""

    @libretto.chain()
    def workflow() -> None:
        plain(client)
        text(client)

    workflow()
    workflow()
    first, second, third, fourth = (event["chainId"] for event in events)
    assert first == second != third == fourth


def test_a_decorated_function_in_one_chain(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """Calls of a function decorated with a chain whose id is given belong to that."""

    @libretto.chain(KEY)
    def step() -> None:
        plain(client)

    step()
    step()
    assert {event["chainId"] for event in events} == {str(KEY)}
    assert events.chain_results == []


def test_a_result_is_kept_as_it_was(events: CapturedEvents) -> None:
    """What a program does to a result after giving it changes no report."""
    result: dict[str, Any] = {"answer": 42, "sources": ["one"]}
    libretto.update_chain("chain", result)
    result["sources"].clear()
    del result["answer"]
    (report,) = events.chain_results
    assert report["result"] == {"answer": 42, "sources": ["one"]}


@pytest.mark.usefixtures("lenient")
def test_a_result_that_cannot_be_told(
    events: CapturedEvents, caplog: pytest.LogCaptureFixture
) -> None:
    """A result that cannot even be shown costs a warning, and not the program."""

    class Shy:
        def __repr__(self) -> str:
            raise LookupError

    libretto.update_chain("chain", Shy())
    assert events.chain_results == []
    assert "api.update_chain" in caplog.text


def test_a_result_overtakes_no_call(client: openai.OpenAI, backend: Backend) -> None:
    """A chain's result arrives after its calls, also inside a chat and when a call has
    to be sent twice."""
    backend.answer(status(500), times=1)
    libretto.install(api_key="key", prompt_template_name="name", chat_id="chat")
    with libretto.chain() as chain:
        plain(client)
        chain.result = "done"
    assert libretto.flush(20)
    paths = [request.path for request in backend.received if request.stored]
    assert paths == ["/event", "/v1/updateChain"]
