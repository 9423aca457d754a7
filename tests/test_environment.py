"""What the environment says, when it is read, and calls that lack what they need."""

import os
import subprocess
import sys
from typing import Any

import openai
import pytest
from support.backend import Backend

import libretto_instrument as libretto
from libretto_instrument._config.environment import endpoint_urls, load_environment
from libretto_instrument.testing import capture_events


def test_read_when_installed(
    client: openai.OpenAI, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment is read by install(), neither at import nor at the call."""
    monkeypatch.setenv("LIBRETTO_API_KEY", "at install")
    libretto.install(prompt_template_name="any")
    monkeypatch.setenv("LIBRETTO_API_KEY", "too late")
    monkeypatch.setenv("LIBRETTO_CHAT_ID", "too late")
    client.completions.create(model="any", prompt="Hi")
    assert libretto.flush(10)
    libretto.install(prompt_template_name="any")
    client.completions.create(model="any", prompt="Hi")
    assert libretto.flush(10)
    first, second = backend.events
    assert first["apiKey"] == "at install"
    assert "chatId" not in first
    assert (second["apiKey"], second["chatId"]) == ("too late", "too late")


def test_installing_again_replaces(client: openai.OpenAI, backend: Backend) -> None:
    """A second install() replaces the first one's configuration whole."""
    libretto.install(api_key="one", prompt_template_name="any", chat_id="gone")
    libretto.install(api_key="two", prompt_template_name="any")
    client.completions.create(model="any", prompt="Hi")
    assert libretto.flush(10)
    assert len(backend.events) == 1
    assert backend.events[0]["apiKey"] == "two"
    assert "chatId" not in backend.events[0]


def test_another_libretto(
    client: openai.OpenAI, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was recorded before another install() goes where it belonged then, and the
    rest to the new address."""
    libretto.install(api_key="key", prompt_template_name="before")
    client.completions.create(model="any", prompt="Hi")
    with Backend() as another:
        monkeypatch.setenv("LIBRETTO_API_PREFIX", another.url)
        libretto.install(api_key="key", prompt_template_name="after")
        client.completions.create(model="any", prompt="Hi")
        assert libretto.flush(10)
        assert [event["apiName"] for event in another.events] == ["after"]
    assert [event["apiName"] for event in backend.events] == ["before"]


@pytest.mark.parametrize(
    "address",
    [
        "localhost:4620",
        "app.getlibretto.com/api",
        "/x",
        "https://",
        "http://host:notaport/api",
        "http://host:99999/api",
        "http://[::1",
    ],
)
@pytest.mark.parametrize(
    "variable",
    [
        "LIBRETTO_API_PREFIX",
        "LIBRETTO_REPORTING_URL",
        "LIBRETTO_FEEDBACK_URL",
        "LIBRETTO_UPDATE_CHAIN_URL",
    ],
)
def test_half_an_address(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    """An address that is not whole is refused by install(), naming the variable."""
    monkeypatch.setenv(variable, address)
    with pytest.raises(ValueError, match=variable):
        libretto.install(api_key="key")
    assert not libretto.installed()


def test_an_empty_variable_sets_nothing(
    client: openai.OpenAI, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that is set to nothing is as good as not set."""
    for variable in (
        "LIBRETTO_API_KEY",
        "LIBRETTO_PROJECT_KEY",
        "LIBRETTO_TEMPLATE_NAME",
        "LIBRETTO_CHAT_ID",
        "LIBRETTO_REPORTING_URL",
    ):
        monkeypatch.setenv(variable, "")
    libretto.install(api_key="key", prompt_template_name="any")
    client.completions.create(model="any", prompt="Hi")
    assert libretto.flush(10)
    assert backend.events[0]["apiKey"] == "key"
    assert backend.events[0]["apiName"] == "any"
    assert not {"projectKey", "chatId"} & set(backend.events[0])


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("LIBRETTO_ALLOW_UNNAMED_PROMPTS", "maybe"),
        ("LIBRETTO_REDACT_PII", "2"),
        ("LIBRETTO_ENABLED", "nein"),
        ("LIBRETTO_SPOOL_ONLY", "only"),
        ("LIBRETTO_SAMPLE_RATE", "1.5"),
        ("LIBRETTO_SAMPLE_RATE", "half"),
        ("LIBRETTO_SAMPLE_RATE", "nan"),
    ],
)
def test_neither_yes_nor_no(
    monkeypatch: pytest.MonkeyPatch, variable: str, text: str
) -> None:
    """A variable that holds what it cannot is refused by install(), which names it."""
    monkeypatch.setenv(variable, text)
    with pytest.raises(ValueError, match=variable):
        libretto.install(api_key="key")
    assert not libretto.installed()


@pytest.mark.parametrize(
    ("text", "meant"),
    [("1", True), ("Yes", True), (" on ", True), ("0", False), ("FALSE", False)],
)
def test_yes_and_no(monkeypatch: pytest.MonkeyPatch, text: str, meant: bool) -> None:
    """Yes and no are said in the usual words, in upper or lower case."""
    monkeypatch.setenv("LIBRETTO_ENABLED", text)
    assert load_environment() == {"enabled": meant}


def test_unnamed_calls_by_the_environment(
    client: openai.OpenAI, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment alone can have unnamed calls recorded, and switch all off."""
    monkeypatch.setenv("LIBRETTO_ALLOW_UNNAMED_PROMPTS", "1")
    libretto.install(api_key="key")
    client.completions.create(model="any", prompt="Hi")
    assert libretto.flush(10)
    monkeypatch.setenv("LIBRETTO_ENABLED", "0")
    libretto.install(api_key="key")
    client.completions.create(model="any", prompt="Hi")
    assert libretto.flush(10)
    assert [event["apiName"] for event in backend.events] == [None]


def test_redaction_by_the_environment(
    client: openai.OpenAI, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment alone can have personal data taken out; code can still not."""
    monkeypatch.setenv("LIBRETTO_REDACT_PII", "1")
    for given in ({}, {"redact_pii": False}):
        libretto.install(api_key="key", prompt_template_name="any", **given)
        client.completions.create(model="any", prompt="Write to ada@example.com")
        assert libretto.flush(10)
    redacted, clear = backend.events
    assert "ada@example.com" not in redacted["promptTemplateText"]
    assert "ada@example.com" in clear["promptTemplateText"]


def test_redaction_by_the_environment_without_its_extra() -> None:
    """Redaction asked for by the environment but not installed is reported early."""
    code = """
import sys
sys.modules["stdnum"] = None
import libretto_instrument as libretto
try:
    libretto.install(api_key="key")
except ImportError as exc:
    print(exc, libretto.installed())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"LIBRETTO_REDACT_PII": "1"},
    )
    assert "pip install 'libretto-instrument[pii]' False" in done.stdout


def test_where_libretto_is() -> None:
    """Without any variable the three addresses are those of Libretto itself."""
    assert endpoint_urls() == {
        "event": "https://app.getlibretto.com/api/event",
        "feedback": "https://app.getlibretto.com/api/feedback",
        "chain": "https://app.getlibretto.com/api/v1/updateChain",
    }


@pytest.mark.parametrize("slashes", ["", "/", "//"])
def test_the_prefix(monkeypatch: pytest.MonkeyPatch, slashes: str) -> None:
    """The prefix moves all three addresses, with or without a slash at its end."""
    monkeypatch.setenv("LIBRETTO_API_PREFIX", f"http://localhost:4620/api{slashes}")
    assert endpoint_urls() == {
        "event": "http://localhost:4620/api/event",
        "feedback": "http://localhost:4620/api/feedback",
        "chain": "http://localhost:4620/api/v1/updateChain",
    }


@pytest.mark.parametrize(
    ("variable", "tell"),
    [
        ("LIBRETTO_REPORTING_URL", "call"),
        ("LIBRETTO_FEEDBACK_URL", "send_feedback"),
        ("LIBRETTO_UPDATE_CHAIN_URL", "update_chain"),
    ],
)
def test_an_address_of_its_own(
    client: openai.OpenAI,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    tell: str,
) -> None:
    """An endpoint's own variable is the whole address, and wins over the prefix."""
    monkeypatch.setenv(variable, f"{backend.url}/own/address")
    libretto.install(api_key="key", prompt_template_name="any")
    client.completions.create(model="any", prompt="Hi")
    libretto.send_feedback("feedback", rating=1)
    libretto.update_chain("chain", "result")
    assert libretto.flush(10)
    paths = {
        "call": "/event",
        "send_feedback": "/feedback",
        "update_chain": "/v1/updateChain",
    }
    expected = {**paths, tell: "/own/address"}
    assert {request.path for request in backend.received} == set(expected.values())


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"prompt_template_name": "name"}, "LIBRETTO_API_KEY"),
        ({"api_key": "key"}, "prompt_template_name"),
    ],
    ids=["no key", "no name"],
)
def test_what_is_missing_is_told_once(
    client: openai.OpenAI,
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
    given: dict[str, Any],
    named: str,
) -> None:
    """Calls without a key, or without a name, go through unrecorded, with one warning
    that says what to set."""
    libretto.install(**given)
    for _ in range(3):
        assert client.completions.create(model="any", prompt="Hi").choices[0].text
    assert libretto.flush(10)
    assert backend.connections == 0
    (message,) = caplog.messages
    assert named in message


@pytest.mark.parametrize("group", ["chat_id", "chain_id"])
def test_a_sample_is_of_whole_groups(client: openai.OpenAI, group: str) -> None:
    """Of each chat, and of each chain, a sample has all calls or none."""
    counts = []
    with capture_events(sample_rate=0.5) as events:
        for number in range(16):
            before = len(events)
            fields: Any = {group: f"group {number}"}
            with libretto.scope(**fields):
                for _ in range(3):
                    client.completions.create(model="any", prompt="Hi")
            counts.append(len(events) - before)
    assert set(counts) == {0, 3}


def test_a_sample_of_single_calls(client: openai.OpenAI) -> None:
    """Of calls that belong to no group, a sample has some."""
    with capture_events(sample_rate=0.5) as events:
        for _ in range(40):
            client.completions.create(model="any", prompt="Hi")
    # Either bound is broken once in a million million runs.
    assert 0 < len(events) < 40
