"""What the tests of capture share: a scripted model, its clients, a plain recorder."""

from collections.abc import AsyncIterator, Iterator

import openai
import pytest
from support.kept import Kept
from support.scripted import DEADLINE, ScriptedModel

from libretto_instrument import capture


@pytest.fixture
def server() -> Iterator[ScriptedModel]:
    """Yield a model whose answers the test writes."""
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture
def scripted(server: ScriptedModel) -> Iterator[openai.OpenAI]:
    """Yield a client of the scripted model."""
    with openai.OpenAI(
        api_key="sk-test", base_url=server.url, max_retries=0, timeout=DEADLINE
    ) as made:
        yield made


@pytest.fixture
async def ascripted(server: ScriptedModel) -> AsyncIterator[openai.AsyncOpenAI]:
    """Yield an async client of the scripted model."""
    async with openai.AsyncOpenAI(
        api_key="sk-test", base_url=server.url, max_retries=0, timeout=DEADLINE
    ) as made:
        yield made


@pytest.fixture
def kept() -> Iterator[Kept]:
    """Yield the finished calls of every client, each kept when it is handed over."""
    recorder = Kept()
    capture.patch(recorder)
    yield recorder
    capture.unpatch()
