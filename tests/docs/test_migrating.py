"""The page that maps each name of libretto-openai 1.1.3 to ours."""

import importlib
import re
from typing import Any

import openai
import pytest
from pages import ROOT, RunPage
from support.backend import Backend

import libretto_instrument as libretto
import libretto_openai
from libretto_instrument.demo import OfflineModel

PAGE = ROOT / "docs" / "migrating.md"

#: Every public name of the old package, read from the modules of its wheel; loggers and
#: what they import aside. Of its classes, what a user's program calls.
OLD = {
    "": "Client LibrettoConfig LibrettoCreateParamDict LibrettoCreateParams "
    "TemplateChat TemplateString __version__",
    "Client": "chat completions config send_feedback update_chain",
    "background": "ensure_background_thread run_monitor_thread thread_with_aiohttp",
    "client": "Client LibrettoChat",
    "completions": "LibrettoChatCompletions LibrettoCompletions",
    "completions_impl": "LibrettoChatCompletionsMixin LibrettoCompletionsBaseMixin "
    "LibrettoCompletionsMixin",
    "pii": "Redactor",
    "pii.name_recognizer": "NameRecognizer",
    "pii.nlp": "NoopNlpEngine",
    "pii.redactor": "Redactor",
    "pii.street_address_recognizer": "StreetAddressRecognizer",
    "session": "SendEventResponse event_session get_url send_event "
    "send_event_background send_feedback send_feedback_background update_chain "
    "update_chain_background",
    "template": "CHAT_HISTORY CONTENT ROLE TEMPLATE_EXPRESSION_VAR_NAME TemplateChat "
    "TemplateString expand_chat_history is_libretto_chat_history",
    "types": "LibrettoConfig LibrettoCreateParamDict LibrettoCreateParams",
}

#: The parameters of the old classes in their order, which callers may rely on.
OLD_FIELDS = {
    libretto.LibrettoConfig: "api_key prompt_template_name chat_id "
    "allow_unnamed_prompts redact_pii",
    libretto.LibrettoCreateParams: "project_key api_key prompt_template_name api_name "
    "event_id template_text template_chat template_params chat_id chain_id "
    "feedback_key parent_event_id",
}


def rows() -> list[list[str]]:
    """Return the cells of the table, row by row."""
    table = PAGE.read_text("utf-8").split("| old name |")[1].split("\n\n")[0]
    return [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]


def quoted(cell: str) -> list[str]:
    """Return what a cell has in backticks."""
    return re.findall(r"`([^`]+)`", cell)


def find(name: str) -> Any:
    """Import what a dotted name stands for."""
    parts = name.split(".")
    for at in range(len(parts), 0, -1):
        try:
            found: Any = importlib.import_module(".".join(parts[:at]))
        except ModuleNotFoundError:
            continue
        for part in parts[at:]:
            # openai 1 only declares the resources of a client in its class.
            declared = any(
                part in getattr(base, "__annotations__", ())
                for base in getattr(found, "__mro__", ())
            )
            found = getattr(found, part, True) if declared else getattr(found, part)
        return found
    raise LookupError(name)


def test_no_old_name_is_left_out() -> None:
    """The table has every public name of the old package, and no other."""
    listed = [name for row in rows() for name in quoted(row[0])]
    there = {
        f"{home}.{name}".lstrip(".")
        for home, names in OLD.items()
        for name in names.split()
    }
    assert sorted(listed) == sorted(there)


def test_each_new_name_exists() -> None:
    """What the table sends its reader to is there."""
    named = {
        name
        for row in rows()
        for cell in row[1:]
        for name in quoted(cell)
        if name.startswith(("libretto_openai.", "libretto_instrument."))
    }
    assert len(named) > 20
    for name in named:
        assert find(name) is not None, name
    with pytest.raises(AttributeError):
        find("libretto_openai.LibrettoCreateParamDict")


@pytest.mark.parametrize("kind", OLD_FIELDS, ids=lambda kind: kind.__name__)
def test_arguments_keep_their_order(kind: type[Any]) -> None:
    """What was given by position still means the same."""
    names = OLD_FIELDS[kind].split()
    no_text = {
        "allow_unnamed_prompts": True,
        "redact_pii": False,
        "template_chat": [],
        "template_params": {},
    }
    values = [no_text.get(name, f"the {name}") for name in names]
    made = kind(*values)
    assert [getattr(made, name) for name in names] == values


def test_an_old_program(run_page: RunPage, backend: Backend) -> None:
    """The program of the page, written for the old client, is recorded by ours."""
    run_page(PAGE)
    (event,) = backend.events
    assert event["apiName"] == "sport-emoji"
    assert event["params"] == {"sport": "soccer"}
    own, anothers = backend.stored("feedback")
    assert own["feedback_key"] == event["feedbackKey"]
    assert own["better_response"] == "⚽"
    assert [own["apiKey"], anothers["apiKey"]] == ["my-project-key", "another-key"]


@pytest.fixture
def old_client(
    model: OfflineModel, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> libretto_openai.Client:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
    config = libretto_openai.LibrettoConfig("key", "name")
    return libretto_openai.Client(libretto=config)


def test_another_project_by_a_scope(
    old_client: libretto_openai.Client, backend: Backend
) -> None:
    """A scope's key says where feedback and results go, and what it says ends there."""
    with libretto.scope(api_key="another"):
        old_client.send_feedback("k", rating=1.0)
        old_client.update_chain("c", None)
    old_client.send_feedback("k", rating=1.0)
    assert libretto.flush(10)
    assert [each["apiKey"] for each in backend.stored("feedback")] == ["another", "key"]
    assert [each["apiKey"] for each in backend.stored("chain")] == ["another"]


def test_what_the_page_says_of_behaviour(
    old_client: libretto_openai.Client, backend: Backend
) -> None:
    """What changes without anybody's doing is as the page has it."""
    create: Any = old_client.completions.create
    create(
        model="any",
        prompt="Hello Ada",
        libretto={"template_text": "Hello {name}", "template_params": {"name": "Ada"}},
    )
    assert libretto.flush(10)
    assert backend.events[0]["promptTemplateText"] == "Hello {name}"
    with pytest.raises(TypeError):
        create(model="any", prompt="Hello", libretto={"template_name": "x"})
    with pytest.raises(ValueError, match="rating"):
        old_client.send_feedback("k")
    with pytest.raises(RuntimeError):
        libretto.TemplateText("{missing}", {})
    assert libretto.TemplateText("{n}", {"n": 1}) == "1"
    assert type(old_client.chat) is openai.resources.Chat
    assert not hasattr(libretto.TemplateChat, "format")
    assert not hasattr(old_client, "config")
