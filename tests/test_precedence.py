"""Which setting holds for a call: of all the places, the most specific, field by field.

Each test makes one real call and looks at the event that arrives.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from typing import Any
from uuid import UUID

import attrs
import openai
import pytest
from support.backend import Backend

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig, LibrettoCreateParams
from libretto_instrument._config.fields import DELIVERY_FIELDS

ID = UUID("12345678-1234-5678-1234-567812345678")

#: Every place, the most specific first.
PLACES = ("call", "inner scope", "outer scope", "client", "install", "environment")
CALL_ONLY = ("call",)
CALL_AND_SCOPES = PLACES[:3]
NOT_THE_CALL = ("inner scope", "outer scope", "client", "install")
NOT_THE_ENVIRONMENT = PLACES[:5]

ENV_VARS = {
    "api_key": "LIBRETTO_API_KEY",
    "project_key": "LIBRETTO_PROJECT_KEY",
    "prompt_template_name": "LIBRETTO_TEMPLATE_NAME",
    "chat_id": "LIBRETTO_CHAT_ID",
}

#: Fields of text, each with the event's key for it and the places it may stand in.
TEXTS = {
    "api_key": ("apiKey", PLACES),
    "project_key": ("projectKey", PLACES),
    "prompt_template_name": ("apiName", PLACES),
    "api_name": ("apiName", CALL_AND_SCOPES),
    "chat_id": ("chatId", PLACES),
    "chain_id": ("chainId", CALL_AND_SCOPES),
    "parent_event_id": ("chainId", CALL_AND_SCOPES),
    "event_id": ("promptEventId", CALL_ONLY),
    "feedback_key": ("feedbackKey", CALL_AND_SCOPES),
    "template_text": ("promptTemplateText", CALL_AND_SCOPES),
}
#: The same for fields that are mappings.
MERGED_FIELDS = {
    "context": ("context", NOT_THE_ENVIRONMENT),
    "template_params": ("params", CALL_AND_SCOPES),
}

Overrides = dict[str, dict[str, Any]]


class House:
    """Makes one call with settings given in any of the places."""

    def __init__(
        self, client: openai.OpenAI, backend: Backend, patch: pytest.MonkeyPatch
    ) -> None:
        self.client, self.backend, self.patch = client, backend, patch
        self.answer: Any = None

    def call(self, given: Overrides, prompt: str = "Hi") -> Any:
        """Return the body of the call's event, or None if it was not recorded.

        Args:
            given: The fields that each place sets. What a call needs to be recorded at
                all is installed where they say nothing of it.
            prompt: What the model is asked.
        """
        said = {field for fields in given.values() for field in fields}
        needed = {"api_key": "any", "prompt_template_name": "any"}
        floor = {name: value for name, value in needed.items() if name not in said}
        for field, value in given.get("environment", {}).items():
            self.patch.setenv(ENV_VARS[field], value)
        libretto.install(**{**floor, **given.get("install", {})})
        if "client" in given:
            libretto.attach(self.client, LibrettoConfig(**given["client"]))
        with ExitStack() as scopes:
            for place in ("outer scope", "inner scope"):
                if place in given:
                    scopes.enter_context(libretto.scope(**given[place]))
            create: Any = self.client.completions.create
            carried = {"libretto": given["call"]} if "call" in given else {}
            self.answer = create(model="any", prompt=prompt, **carried)
        assert libretto.flush(10)
        return self.backend.events[-1] if self.backend.events else None


@pytest.fixture
def house(
    client: openai.OpenAI, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> House:
    return House(client, backend, monkeypatch)


def ladder(
    fields: Mapping[str, tuple[str, tuple[str, ...]]],
) -> list[Any]:
    """Return each field with each place it may stand in and those below that place."""
    return [
        pytest.param(field, key, places[at:], id=f"{field}: {places[at]}")
        for field, (key, places) in fields.items()
        for at in range(len(places))
    ]


@pytest.mark.parametrize(
    ("field", "key", "places"),
    ladder(TEXTS),
)
def test_the_most_specific_place_wins(
    house: House, field: str, key: str, places: tuple[str, ...]
) -> None:
    """Of all the places that set a field, the most specific holds for the call."""
    # A template holds only where it fits the prompt; this one fits any.
    form = "{{by_{}}}" if field == "template_text" else "by {}"
    values = {place: form.format(place.replace(" ", "_")) for place in places}
    given: Overrides = {place: {field: values[place]} for place in places}
    if field == "api_name":
        # Without a proper name anywhere, for the legacy one to count.
        given["install"] = {"prompt_template_name": None}
    event = house.call(given)
    assert event[key] == values[places[0]]


def flags(*, field: str, on: Any, off: Any) -> list[Any]:
    return [
        pytest.param(
            {place: {field: top if place == places[0] else bottom} for place in places},
            top is on,
            id=f"{field} {top}: {places[0]}",
        )
        for places in (NOT_THE_CALL[at:] for at in range(len(NOT_THE_CALL)))
        for top, bottom in ((on, off), (off, on))
    ]


@pytest.mark.parametrize(
    ("given", "recorded"),
    [
        *flags(field="enabled", on=True, off=False),
        *flags(field="sample_rate", on=1.0, off=0.0),
    ],
)
def test_the_most_specific_switch_wins(
    house: House, given: Overrides, recorded: bool
) -> None:
    """Of all the places that switch recording on or off, the most specific decides."""
    assert (house.call(given) is not None) is recorded


@pytest.mark.parametrize(
    ("given", "recorded"),
    flags(field="allow_unnamed_prompts", on=True, off=False),
)
def test_unnamed_prompts(house: House, given: Overrides, recorded: bool) -> None:
    """A call without a name is recorded where the most specific place allows it."""
    given.setdefault("install", {})["prompt_template_name"] = None
    event = house.call(given)
    assert (event is not None) is recorded
    if recorded:
        assert event["apiName"] is None
        assert "promptTemplateName" not in event


@pytest.mark.parametrize(
    ("given", "annotated"), flags(field="annotate_responses", on=True, off=False)
)
def test_annotation(house: House, given: Overrides, annotated: bool) -> None:
    """The response carries its key where the most specific place wants it to."""
    event = house.call(given)
    carried = house.answer.model_extra.get("libretto_feedback_key")
    assert carried == (event["feedbackKey"] if annotated else None)


class Blackout:
    """A redactor that leaves nothing but what it says is its place."""

    def __init__(self, place: str) -> None:
        self.place = place

    def analyze(self, text: str) -> list[Any]:
        return []

    def redact(self, text: str) -> str:
        return f"redacted by {self.place}"


@pytest.mark.parametrize(
    ("given", "redacted"), flags(field="redact_pii", on=True, off=False)
)
def test_redaction(house: House, given: Overrides, redacted: bool) -> None:
    """Personal data is redacted where the most specific place wants it to be, and
    with its redactor."""
    for place in given:
        given[place]["redactor"] = Blackout(place)
    text = house.call(given)["promptTemplateText"]
    assert text == (f"redacted by {next(iter(given))}" if redacted else "Hi")


@pytest.mark.parametrize(
    ("given", "cut"), flags(field="max_field_bytes", on=10, off=1000)
)
def test_the_most_of_a_field(house: House, given: Overrides, cut: bool) -> None:
    """Text is cut at the length that the most specific place allows."""
    text = house.call(given, prompt="x" * 500)["promptTemplateText"]
    assert (text != "x" * 500) is cut
    assert text.startswith("x")


def test_every_field_is_held_here() -> None:
    """Each field there is has a test of which place wins: those above."""
    own_tests = {
        "enabled",
        "sample_rate",
        "allow_unnamed_prompts",
        "annotate_responses",
        "redact_pii",
        "redactor",
        "max_field_bytes",
        "before_send",
        "model_provider",  # held in capture/test_servers.py
        "template_chat",  # held with a chat, in test_scope.py
        "templates",  # held in recognition/test_recorded.py
        "trace_context",  # held with a tracer, in otel/test_trace.py
        *DELIVERY_FIELDS,  # all of them at once, in test_routes.py
    }
    fields = {
        field.name
        for kind in (LibrettoConfig, LibrettoCreateParams)
        for field in attrs.fields(kind)
    }
    assert fields == {*TEXTS, *MERGED_FIELDS, *own_tests}


@pytest.mark.parametrize(
    "places", [NOT_THE_CALL[at:] for at in range(len(NOT_THE_CALL))], ids=lambda p: p[0]
)
def test_hooks(house: House, places: tuple[str, ...]) -> None:
    """Of all the hooks that see an event before it is sent, the most specific does."""

    def hook(place: str) -> Any:
        return lambda body: {**body, "context": {"seen by": place}}

    event = house.call({place: {"before_send": hook(place)} for place in places})
    assert event["context"] == {"seen by": places[0]}


@pytest.mark.parametrize(
    ("field", "key", "places"),
    ladder(MERGED_FIELDS),
)
def test_mappings_are_laid_over_each_other(
    house: House, field: str, key: str, places: tuple[str, ...]
) -> None:
    """Context and parameters are merged key by key, the most specific place's over."""
    event = house.call(
        {place: {field: {"all": place, f"only {place}": 1}} for place in places}
    )
    assert event[key] == {
        "all": places[0],
        **{f"only {place}": 1 for place in places},
    }


def test_fields_are_merged_one_by_one(house: House) -> None:
    """Each field comes from the most specific place that sets it, not all from one."""
    event = house.call(
        {
            "environment": {"api_key": "by environment", "chat_id": "by environment"},
            "install": {"chat_id": "by install", "prompt_template_name": "by install"},
            "client": {"prompt_template_name": "by client"},
            "outer scope": {"chain_id": "by outer scope"},
            "call": {"feedback_key": "by call"},
        }
    )
    assert event["apiKey"] == "by environment"
    assert event["chatId"] == "by install"
    assert event["apiName"] == "by client"
    assert event["chainId"] == "by outer scope"
    assert event["feedbackKey"] == "by call"


def test_none_sets_nothing(house: House) -> None:
    """A field that is None was not given, wherever it stands."""
    nothing = {"chat_id": None, "context": None}
    event = house.call(
        {
            "install": {"chat_id": "chat", "context": {"a": 1}},
            **dict.fromkeys(PLACES[:4], nothing),
        }
    )
    assert event["chatId"] == "chat"
    assert event["context"] == {"a": 1}


def test_the_legacy_name_is_the_last_resort(house: House) -> None:
    """api_name counts only where no place at all gives a proper name."""
    event = house.call(
        {
            "call": {"api_name": "legacy"},
            "environment": {"prompt_template_name": "proper"},
        }
    )
    assert event["apiName"] == event["promptTemplateName"] == "proper"


def test_the_old_name_of_the_chain(house: House) -> None:
    """parent_event_id means chain_id, which wins where both are given."""
    call = {"parent_event_id": "old", "chain_id": "new"}
    assert house.call({"call": call})["chainId"] == "new"
    given: Overrides = {
        "outer scope": {"chain_id": "outer"},
        "call": {"parent_event_id": ID},
    }
    assert house.call(given)["chainId"] == str(ID)


def test_params_of_a_call_stay_the_callers(house: House) -> None:
    """The mapping given to a call is read and left as it is."""
    mapping = {"prompt_template_name": "name", "context": {"a": 1}}
    before = {"prompt_template_name": "name", "context": {"a": 1}}
    house.call({"call": mapping, "install": {"context": {"b": 2}}})
    assert mapping == before


def test_a_project_key_alone_is_enough(client: openai.OpenAI, backend: Backend) -> None:
    """The legacy project key does without an API key."""
    libretto.install(project_key="legacy", prompt_template_name="any")
    client.completions.create(model="any", prompt="Hi")
    assert libretto.flush(10)
    assert backend.events[0]["projectKey"] == "legacy"
    assert "apiKey" not in backend.events[0]
