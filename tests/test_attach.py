"""`attach()`: one client and its copies."""

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from support.answers import MESSAGES, completion
from support.scripted import ScriptedModel

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig
from libretto_instrument._runtime.state import runtime

CONFIG = LibrettoConfig(api_key="key", prompt_template_name="attached")


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    records: list[Any] = []
    monkeypatch.setattr(runtime, "sink", records.append)
    yield records
    libretto.uninstall()


def ask(client: Any) -> Any:
    return client.chat.completions.create(model="m", messages=MESSAGES)


def test_copies(
    server: ScriptedModel, scripted: openai.OpenAI, recorded: list[Any]
) -> None:
    """Copies, and copies of copies, are recorded; other clients are not."""
    server.answer(completion(), times=6)
    other = scripted.copy()
    libretto.attach(scripted, CONFIG)
    libretto.attach(scripted, CONFIG)
    copies = [scripted.copy(), scripted.with_options(timeout=3)]
    for client in (scripted, *copies, copies[0].with_options(), copies[1].copy()):
        ask(client)
    ask(other)
    names = [record.settings.template_name for record in recorded]
    assert names == ["attached"] * 5


def test_a_copy_has_the_last_configuration(
    server: ScriptedModel, scripted: openai.OpenAI, recorded: list[Any]
) -> None:
    """A copy has what its client was attached with last; an own one stays."""
    server.answer(completion(), times=3)
    libretto.attach(scripted, CONFIG)
    libretto.attach(scripted, LibrettoConfig("key", "later"))
    copied = scripted.copy()
    ask(copied)
    libretto.attach(copied, LibrettoConfig("key", "own"))
    ask(copied)
    ask(copied.copy())
    names = [record.settings.template_name for record in recorded]
    assert names == ["later", "own", "own"]


async def test_copies_of_async_and_azure_clients(
    server: ScriptedModel, ascripted: openai.AsyncOpenAI, recorded: list[Any]
) -> None:
    """Copies of the other kinds of clients are recorded, too."""
    server.answer(completion(), times=2)
    libretto.attach(ascripted, CONFIG)
    await ask(ascripted.with_options(timeout=3))
    azure = openai.AzureOpenAI(
        api_key="k", azure_endpoint=server.url, api_version="1", max_retries=0
    )
    libretto.attach(azure, CONFIG)
    ask(azure.copy())
    assert len(recorded) == 2


def test_an_unhashable_client(
    server: ScriptedModel, scripted: openai.OpenAI, recorded: list[Any]
) -> None:
    """A client of a class that cannot be hashed is recorded all the same."""

    class Client(openai.OpenAI):
        def __eq__(self, other: object) -> bool:
            return False

        __hash__ = None  # type: ignore[assignment]

    server.answer(completion())
    client = Client(api_key="k", base_url=server.url)
    libretto.attach(client, CONFIG)
    ask(client)
    assert len(recorded) == 1


class ChatModel:
    """A framework's model object, which holds a client."""

    def __init__(self) -> None:
        self.client = openai.OpenAI(api_key="k")


@pytest.mark.parametrize(
    "client", [ChatModel(), None, {}, [], "client", openai.OpenAI, openai, object()]
)
def test_what_is_no_client(client: Any) -> None:
    """What is not an openai client is refused by name, and nothing is installed."""
    with pytest.raises(TypeError, match=r"attach\(\) takes an openai client"):
        libretto.attach(client, CONFIG)
    assert not libretto.installed()
