"""Making clients, copying them, and what they say to Libretto."""

from uuid import uuid4

import httpx
import openai
from typing_extensions import assert_type

from libretto_openai import AsyncClient, AsyncOpenAI, Client, LibrettoConfig, OpenAI

CONFIG = LibrettoConfig(api_key="key", prompt_template_name="name")


def takes_openai(client: openai.OpenAI) -> None:
    """Takes openai's own client."""


def takes_async_openai(client: openai.AsyncOpenAI) -> None:
    """Takes openai's own async client."""


def right() -> None:
    """All of openai's arguments and one more; openai's names are the same classes."""
    client = Client(
        api_key="sk-test",
        base_url="https://example.test",
        timeout=7.5,
        max_retries=1,
        default_headers={"name": "value"},
        libretto=CONFIG,
    )
    assert_type(client.timeout, float | openai.Timeout | None)
    takes_openai(client)
    takes_async_openai(AsyncClient())
    assert_type(OpenAI(libretto=None), Client)
    assert_type(AsyncOpenAI(), AsyncClient)
    assert_type(client.copy(max_retries=2, libretto=CONFIG), Client)
    assert_type(client.with_options(timeout=None), Client)
    assert_type(AsyncClient().with_options(libretto=CONFIG), AsyncClient)
    with client as entered:
        assert_type(entered, Client)


class House(Client):
    """A client of an application's own."""


def of_subclasses() -> None:
    """A copy of a subclass is one of it."""
    assert_type(House(libretto=CONFIG).with_options(max_retries=0), House)


def of_feedback(client: Client, waiting: AsyncClient) -> None:
    """Feedback and results are given at once, with nothing to await."""
    client.send_feedback("key", rating=0.5, better_response="b", is_deleted=False)
    client.send_feedback(None, rating=1)
    waiting.send_feedback(feedback_key=uuid4(), rating=1)
    client.update_chain(uuid4(), {"any": "thing"})
    waiting.update_chain("chain", None)


def wrong(client: Client, waiting: AsyncClient) -> None:
    """A mapping is not a configuration, and what openai refuses is refused."""
    # error: arg-type, reportArgumentType
    Client(libretto={"api_key": "key"})
    # error: call-arg, reportCallIssue
    Client(nonsense=True)
    # error: arg-type, reportArgumentType
    Client(max_retries="1")
    # error: arg-type, reportArgumentType
    AsyncClient(http_client=httpx.Client())
    # error: arg-type, reportArgumentType
    client.with_options(libretto="key")
    # error: call-arg, reportCallIssue
    client.copy(azure_ad_token="token")
    # error: arg-type, reportArgumentType
    client.send_feedback("key", rating="good")
    # error: call-arg, reportCallIssue
    waiting.send_feedback("key", stars=5)
    # error: call-arg, reportCallIssue
    waiting.update_chain("chain")
    # error: arg-type, reportArgumentType
    takes_openai(waiting)
