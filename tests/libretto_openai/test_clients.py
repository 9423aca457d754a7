"""The drop-in clients: openai's own, plus what they say to Libretto."""

import inspect
import threading
from typing import Any

import openai
import pytest
from support.backend import Backend

import libretto_instrument as libretto
from libretto_instrument.demo import OfflineModel
from libretto_openai import (
    AsyncAzureOpenAI,
    AsyncClient,
    AsyncOpenAI,
    AzureOpenAI,
    Client,
    LibrettoConfig,
    OpenAI,
)

MESSAGES: Any = [{"role": "user", "content": "Hi there"}]

BASES: dict[Any, Any] = {
    Client: openai.OpenAI,
    AsyncClient: openai.AsyncOpenAI,
    AzureOpenAI: openai.AzureOpenAI,
    AsyncAzureOpenAI: openai.AsyncAzureOpenAI,
}

each_class = pytest.mark.parametrize("kind", BASES, ids=lambda kind: kind.__name__)
CONFIG = LibrettoConfig(api_key="of the client", prompt_template_name="by client")


def options(kind: Any, model: OfflineModel) -> dict[str, Any]:
    """Return what openai's own class needs to ask the offline model."""
    if issubclass(kind, openai.AzureOpenAI | openai.AsyncAzureOpenAI):
        return {
            "api_key": "sk-test",
            "azure_endpoint": model.url,
            "api_version": "2024-10-21",
            "max_retries": 0,
        }
    return {"api_key": "sk-test", "base_url": model.base_url, "max_retries": 0}


async def ask(client: Any, **extra: Any) -> Any:
    """Make a chat call with a client of either kind."""
    answer = client.chat.completions.create(model="any", messages=MESSAGES, **extra)
    return await answer if inspect.isawaitable(answer) else answer


async def close(client: Any) -> None:
    closing = client.close()
    if inspect.isawaitable(closing):
        await closing


def names(backend: Backend) -> list[Any]:
    """Return the prompt names of the events that arrived, once all have, in order of
    the alphabet: events that belong to no chat may overtake each other."""
    assert libretto.flush(10)
    return sorted(event["apiName"] for event in backend.events)


# What they are


def test_openais_own_names() -> None:
    """The two plain clients go under openai's names, too, for a one-line change."""
    assert OpenAI is Client
    assert AsyncOpenAI is AsyncClient


@each_class
def test_a_drop_in(kind: Any, model: OfflineModel) -> None:
    """Each client is an instance of openai's class of that name, with its options."""
    client = kind(**options(kind, model), timeout=7)
    assert isinstance(client, BASES[kind])
    assert (client.timeout, client.max_retries) == (7, 0)
    assert client.api_key == "sk-test"


@each_class
def test_openais_methods_are_openais(kind: Any) -> None:
    """Nothing of openai's class is replaced but its making and its copying."""
    own = {name for name in vars(kind) if not name.startswith("_")}
    assert own == {"copy", "with_options", "send_feedback", "update_chain"}


@each_class
def test_openais_errors_are_openais(kind: Any, model: OfflineModel) -> None:
    """A wrong option is refused as openai's class refuses it."""
    with pytest.raises(TypeError, match="nonsense"):
        kind(**options(kind, model), nonsense=True)


@each_class
def test_a_configuration_must_be_one(kind: Any, model: OfflineModel) -> None:
    """Anything but a LibrettoConfig is refused when the client is made."""
    with pytest.raises(TypeError, match="must be a LibrettoConfig, not dict"):
        kind(**options(kind, model), libretto={"api_key": "key"})


@each_class
def test_the_key_is_not_shown(kind: Any, model: OfflineModel) -> None:
    """No repr of a client shows Libretto's key."""
    client = kind(
        **options(kind, model), libretto=LibrettoConfig(api_key="very-secret")
    )
    assert "very-secret" not in repr(client) + repr(client.chat.completions)


# Whose calls are recorded


@each_class
async def test_its_calls_are_recorded(
    kind: Any, model: OfflineModel, backend: Backend
) -> None:
    """A call of each client arrives at Libretto, with the client's key and name."""
    client = kind(**options(kind, model), libretto=CONFIG)
    answer = await ask(client)
    await close(client)
    assert names(backend) == ["by client"]
    (event,) = backend.events
    assert event["apiKey"] == "of the client"
    assert event["response"] == answer.choices[0].message.content
    assert event["feedbackKey"] == libretto.feedback_key(answer)


@each_class
async def test_its_streams_are_recorded(
    kind: Any, model: OfflineModel, backend: Backend
) -> None:
    """A stream of each client is openai's, and arrives when it ends."""
    client = kind(**options(kind, model), libretto=CONFIG)
    stream = await ask(client, stream=True)
    assert isinstance(stream, openai.Stream | openai.AsyncStream)
    if isinstance(stream, openai.AsyncStream):
        chunks = [chunk async for chunk in stream]
    else:
        chunks = list(stream)
    await close(client)
    assert names(backend) == ["by client"]
    assert backend.events[0]["response"] == "".join(
        chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices
    )


@each_class
async def test_nobody_elses_are(
    kind: Any, model: OfflineModel, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With only a client made, recorded are its calls, those that carry libretto=, and
    those in a scope, and no others, though the environment has all that they need."""
    monkeypatch.setenv("LIBRETTO_API_KEY", "of the environment")
    monkeypatch.setenv("LIBRETTO_TEMPLATE_NAME", "somebody else's")
    bare = BASES[kind](**options(kind, model))
    recorded = kind(**options(kind, model), libretto=CONFIG)
    await ask(bare)
    await ask(recorded)
    await ask(bare, libretto={"prompt_template_name": "by argument"})
    with libretto.scope(prompt_template_name="by scope"):
        await ask(bare)
    await ask(bare)
    await close(bare)
    await close(recorded)
    assert names(backend) == ["by argument", "by client", "by scope"]
    assert not libretto.installed()


async def test_the_environment_is_enough(
    model: OfflineModel, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client without a configuration takes all of it from the environment."""
    monkeypatch.setenv("LIBRETTO_API_KEY", "of the environment")
    monkeypatch.setenv("LIBRETTO_TEMPLATE_NAME", "by environment")
    with Client(**options(Client, model)) as client:
        await ask(client)
    assert names(backend) == ["by environment"]


async def test_a_client_and_all_the_others(
    model: OfflineModel, backend: Backend
) -> None:
    """After install() a client's own configuration is laid over the installed one."""
    libretto.install(api_key="installed", prompt_template_name="by install")
    kind = openai.OpenAI
    with (
        kind(**options(kind, model)) as bare,
        Client(
            **options(Client, model),
            libretto=LibrettoConfig(prompt_template_name="by client"),
        ) as own,
    ):
        await ask(bare)
        await ask(own)
    assert names(backend) == ["by client", "by install"]
    assert {event["apiKey"] for event in backend.events} == {"installed"}


async def test_two_clients(model: OfflineModel, backend: Backend) -> None:
    """Two clients record each under its own configuration, one event a call."""
    made = [
        Client(
            **options(Client, model),
            libretto=LibrettoConfig(api_key=key, prompt_template_name=key),
        )
        for key in ("one", "two")
    ]
    for client in made * 2:
        await ask(client)
    for client in made:
        client.close()
    assert names(backend) == ["one", "one", "two", "two"]
    assert all(event["apiKey"] == event["apiName"] for event in backend.events)


class House(Client):
    """A user's subclass."""


async def test_subclasses(model: OfflineModel, backend: Backend) -> None:
    """A call of a subclass is one event, and its copies are of the subclass."""
    with House(**options(Client, model), libretto=CONFIG) as client:
        await ask(client)
        copied = client.with_options(timeout=5)
        assert type(copied) is House
        await ask(copied)
    assert names(backend) == ["by client"] * 2


async def test_a_client_may_be_off(model: OfflineModel, backend: Backend) -> None:
    """A client configured with enabled=False records nothing, and starts nothing."""
    config = LibrettoConfig(api_key="k", prompt_template_name="n", enabled=False)
    threads = set(threading.enumerate())
    with Client(**options(Client, model), libretto=config) as client:
        await ask(client)
        client.send_feedback("key", rating=1)
        started = set(threading.enumerate()) - threads
        assert not [each for each in started if each.name == "libretto-delivery"]
    assert names(backend) == []
    assert backend.connections == 0


@each_class
@pytest.mark.parametrize(
    "off",
    [
        {"api_key": "key", "prompt_template_name": "name", "enabled": False},
        {"api_key": "key", "prompt_template_name": "name", "sample_rate": 0},
        {"prompt_template_name": "name"},
        {"api_key": "key"},
    ],
    ids=["disabled", "not sampled", "no key", "no name"],
)
async def test_the_argument_is_always_taken(
    kind: Any, off: dict[str, Any], model: OfflineModel, backend: Backend
) -> None:
    """libretto= never reaches openai, also when nothing is recorded."""
    client = kind(**options(kind, model), libretto=LibrettoConfig(**off))
    answer = await ask(client, libretto={"chat_id": "chat"}, metadata={"mine": "kept"})
    assert answer.choices[0].message.content
    stream = await ask(client, libretto={"chat_id": "chat"}, stream=True)
    closing = stream.close()
    if inspect.isawaitable(closing):
        await closing
    await ask(client, libretto=None)
    await close(client)
    assert names(backend) == []


async def test_openais_metadata_stays_openais(
    model: OfflineModel, backend: Backend
) -> None:
    """openai's own argument metadata is sent and recorded as openai's."""
    with Client(**options(Client, model), libretto=CONFIG) as client:
        await ask(client, metadata={"user": "7"})
    assert names(backend) == ["by client"]
    assert backend.events[0]["modelParameters"]["metadata"] == {"user": "7"}
    assert "context" not in backend.events[0]


# Copies


@each_class
@pytest.mark.parametrize("method", ["with_options", "copy"])
async def test_copies_keep_the_configuration(
    kind: Any, method: str, model: OfflineModel, backend: Backend
) -> None:
    """A copy with other options keeps the configuration, and so does its copy."""
    client = kind(**options(kind, model), libretto=CONFIG)
    copied = getattr(client, method)(timeout=5)
    again = getattr(copied, method)(max_retries=1)
    assert type(again) is kind
    assert (again.timeout, again.max_retries) == (5, 1)
    await ask(copied)
    await ask(again)
    await close(client)
    assert names(backend) == ["by client"] * 2


@each_class
@pytest.mark.parametrize("method", ["with_options", "copy"])
async def test_copies_may_replace_it(
    kind: Any, method: str, model: OfflineModel, backend: Backend
) -> None:
    """A copy may be given another configuration; the first client keeps its own."""
    client = kind(**options(kind, model), libretto=CONFIG)
    other = LibrettoConfig(api_key="other", prompt_template_name="by copy")
    copied = getattr(client, method)(libretto=other)
    await ask(copied)
    await ask(client)
    await close(client)
    assert names(backend) == ["by client", "by copy"]
    assert {event["apiName"]: event["apiKey"] for event in backend.events} == {
        "by client": "of the client",
        "by copy": "other",
    }


async def test_a_bare_clients_copies(model: OfflineModel, backend: Backend) -> None:
    """A configuration that was attached to a client holds for its copies, too."""
    with openai.OpenAI(**options(openai.OpenAI, model)) as client:
        libretto.attach(client, CONFIG)
        await ask(client)
        await ask(client.with_options(timeout=5))
    assert names(backend) == ["by client", "by client"]


# Feedback


@each_class
def test_feedback_of_a_client(kind: Any, model: OfflineModel, backend: Backend) -> None:
    """Feedback and results given through a client go to the client's project, at once
    and with nothing to await."""
    libretto.install(api_key="installed")
    client = kind(**options(kind, model), libretto=CONFIG)
    assert client.send_feedback("feedback", rating=1, better_response="b") is None
    assert client.send_feedback(feedback_key="feedback", is_deleted=True) is None
    assert client.update_chain("chain", {"a": 1}) is None
    assert libretto.flush(10)
    own = {"apiKey": "of the client"}
    assert backend.stored("feedback") == [
        {"feedback_key": "feedback", "rating": 1, "better_response": "b", **own},
        {"feedback_key": "feedback", "is_deleted": True, **own},
    ]
    assert backend.stored("chain") == [{"id": "chain", "result": {"a": 1}, **own}]


@each_class
def test_wrong_feedback_of_a_client(kind: Any, model: OfflineModel) -> None:
    """A client refuses what the module's functions refuse."""
    client = kind(**options(kind, model), libretto=CONFIG)
    with pytest.raises(ValueError, match="between 0 and 1"):
        client.send_feedback("key", rating=2)
    with pytest.raises(TypeError, match="feedback_key must be"):
        client.send_feedback("", rating=1)
    with pytest.raises(TypeError, match="chain_id must be"):
        client.update_chain(None, "result")


async def test_the_key_in_the_answer(model: OfflineModel, backend: Backend) -> None:
    """The key that an answer carries is the one to give feedback with."""
    with Client(**options(Client, model), libretto=CONFIG) as client:
        completion = await ask(client)
        extra = completion.model_extra
        client.send_feedback(feedback_key=extra["libretto_feedback_key"], rating=0)
    assert names(backend) == ["by client"]
    (feedback,) = backend.stored("feedback")
    assert feedback["feedback_key"] == backend.events[0]["feedbackKey"]


# When recording ends


async def test_uninstalling_ends_it(model: OfflineModel, backend: Backend) -> None:
    """uninstall() ends the recording of clients, too, until another one is made."""
    with Client(**options(Client, model), libretto=CONFIG) as client:
        libretto.uninstall()
        await ask(client)
        assert names(backend) == []
        with Client(**options(Client, model), libretto=CONFIG):
            await ask(client)
    assert names(backend) == ["by client"]


def test_a_client_that_was_never_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that openai refuses to make switches nothing on."""
    before = openai.resources.chat.Completions.__dict__["create"]
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(openai.OpenAIError):
        Client(libretto=CONFIG)
    assert openai.resources.chat.Completions.__dict__["create"] is before
