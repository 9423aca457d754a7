"""Configurations: what they may hold, and how a mistake is reported."""

import inspect
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import attrs
import openai
import pytest

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig, LibrettoCreateParams
from libretto_instrument.testing import CapturedEvents

ID = UUID("12345678-1234-5678-1234-567812345678")

# The two classes


def test_order_of_a_configuration() -> None:
    """Five fields of a configuration go by position, in the order of the contract."""
    config = LibrettoConfig("key", "name", "chat", True, False)
    assert config == LibrettoConfig(
        api_key="key",
        prompt_template_name="name",
        chat_id="chat",
        allow_unnamed_prompts=True,
        redact_pii=False,
    )
    with pytest.raises(TypeError, match="positional"):
        LibrettoConfig("key", "name", "chat", True, False, "project")  # type: ignore[call-arg]  # the sixth is the point


def test_order_of_a_calls_parameters() -> None:
    """All fields of a call but context go by position, in the order of the contract."""
    parameters = list(inspect.signature(LibrettoCreateParams).parameters.values())
    by_position = [
        parameter.name
        for parameter in parameters
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD
    ]
    assert by_position == [
        "project_key",
        "api_key",
        "prompt_template_name",
        "api_name",
        "event_id",
        "template_text",
        "template_chat",
        "template_params",
        "chat_id",
        "chain_id",
        "feedback_key",
        "parent_event_id",
    ]
    assert [p.name for p in parameters if p.kind is p.KEYWORD_ONLY] == ["context"]


@pytest.mark.parametrize("kind", [LibrettoConfig, LibrettoCreateParams])
def test_a_value_cannot_be_changed(kind: type) -> None:
    """Configurations are values: a field cannot be assigned to."""
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        kind().api_key = "another"


@pytest.mark.parametrize("kind", [LibrettoConfig, LibrettoCreateParams])
def test_keys_are_not_shown(kind: type) -> None:
    """No repr shows a key, a context, a template or its parameters."""
    secret = "sk-very-secret"
    fields: dict[str, Any] = {
        "api_key": secret,
        "project_key": secret,
        "context": {"user": secret},
    }
    if kind is LibrettoCreateParams:
        fields["template_text"] = secret
        fields["template_chat"] = [{"role": "user", "content": secret}]
        fields["template_params"] = {"user": secret}
    shown = repr(kind(**fields, prompt_template_name="shown"))
    assert secret not in shown
    assert "shown" in shown


CONFIG_ERRORS = [
    ({"api_key": 7}, "api_key"),
    ({"api_key": b"key"}, "api_key"),
    ({"prompt_template_name": ["name"]}, "prompt_template_name"),
    ({"chat_id": 7}, "chat_id"),
    ({"project_key": 7}, "project_key"),
    ({"allow_unnamed_prompts": "yes"}, "allow_unnamed_prompts"),
    ({"redact_pii": 1}, "redact_pii"),
    ({"enabled": "no"}, "enabled"),
    ({"annotate_responses": 0}, "annotate_responses"),
    ({"trace_context": 1}, "trace_context"),
    ({"context": [("a", 1)]}, "context"),
    ({"sample_rate": "0.5"}, "sample_rate"),
    ({"before_send": "not callable"}, "before_send"),
    ({"redactor": "no method"}, "redactor"),
    ({"max_field_bytes": "1 MB"}, "max_field_bytes"),
    ({"max_field_bytes": 1.5}, "max_field_bytes"),
]
CALL_ERRORS = [
    ({"api_key": 7}, "api_key"),
    ({"project_key": 7}, "project_key"),
    ({"prompt_template_name": 7}, "prompt_template_name"),
    ({"api_name": 7}, "api_name"),
    ({"event_id": 7}, "event_id"),
    ({"template_text": ["text"]}, "template_text"),
    ({"template_chat": "text"}, "template_chat"),
    ({"template_params": ["a"]}, "template_params"),
    ({"chat_id": 7}, "chat_id"),
    ({"chain_id": 7}, "chain_id"),
    ({"feedback_key": 7}, "feedback_key"),
    ({"parent_event_id": 7}, "parent_event_id"),
    ({"context": "text"}, "context"),
]


@pytest.mark.parametrize(("fields", "named"), CONFIG_ERRORS)
def test_types_of_a_configuration(fields: dict[str, Any], named: str) -> None:
    """A field of the wrong type is refused when it is given, by name."""
    for give in (LibrettoConfig, libretto.install, libretto.scope):
        with pytest.raises(TypeError, match=f"^{named} must (be|have) "):
            give(**fields)
    assert not libretto.installed()


@pytest.mark.parametrize(("fields", "named"), CALL_ERRORS)
def test_types_of_a_call(fields: dict[str, Any], named: str) -> None:
    """A field of the wrong type is refused when a call's parameters are made."""
    with pytest.raises(TypeError, match=f"^{named} must be"):
        LibrettoCreateParams(**fields)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), float("inf")])
def test_bounds_of_the_sample_rate(rate: float) -> None:
    """A sample rate outside [0, 1] is refused."""
    with pytest.raises(ValueError, match="between 0 and 1"):
        LibrettoConfig(sample_rate=rate)


@pytest.mark.parametrize("limit", [0, -1])
def test_bounds_of_a_field(limit: int) -> None:
    """A field cannot be allowed less than one byte."""
    with pytest.raises(ValueError, match="at least 1"):
        LibrettoConfig(max_field_bytes=limit)


@pytest.mark.parametrize("rate", [0, 0.5, 1, 1.0])
def test_sample_rates(rate: float) -> None:
    """A sample rate may be anything in [0, 1], the ends included."""
    assert LibrettoConfig(sample_rate=rate).sample_rate == rate


def test_ids_may_be_uuids() -> None:
    """Wherever an id goes in, a UUID does as well as its text."""
    call = LibrettoCreateParams(
        event_id=ID, chat_id=ID, chain_id=ID, feedback_key=ID, parent_event_id=ID
    )
    assert {
        call.event_id,
        call.chat_id,
        call.chain_id,
        call.feedback_key,
        call.parent_event_id,
        LibrettoConfig(chat_id=ID).chat_id,
    } == {str(ID)}


@pytest.mark.parametrize("give", [libretto.install, libretto.scope])
def test_unknown_fields(give: Any) -> None:
    """An unknown field is refused, and the nearest one is suggested."""
    with pytest.raises(TypeError, match=r"'api_kye'.*Did you mean 'api_key'"):
        give(api_kye="key")
    with pytest.raises(TypeError, match="'zzz'") as caught:
        give(zzz="key")
    assert "Did you mean" not in str(caught.value)
    assert not libretto.installed()


def test_configuration_and_fields_together() -> None:
    """What is given by name is laid over the configuration it is given with."""
    config = LibrettoConfig(api_key="key", prompt_template_name="name")
    libretto.install(config, prompt_template_name="other")
    assert config.prompt_template_name == "name"
    with pytest.raises(TypeError, match="must be a LibrettoConfig, not dict"):
        libretto.install({"api_key": "key"})  # type: ignore[arg-type]  # the point


# A call's `libretto=`


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"promt_template_name": "x"}, "Did you mean 'prompt_template_name'"),
        ({"allow_unnamed_prompts": True}, "no field 'allow_unnamed_prompts'"),
        ({7: "x"}, "no field 7"),
        ({"chat_id": 7}, "chat_id must be"),
        ("name", "not str"),
        (LibrettoConfig(), "not LibrettoConfig"),
        ([("chat_id", "x")], "not list"),
    ],
)
@pytest.mark.usefixtures("events")
def test_a_wrong_call_is_refused_unsent(value: Any, message: str) -> None:
    """A mistake in libretto= raises before any request is made."""
    with openai.OpenAI(api_key="sk-test", base_url="http://127.0.0.1:9/v1") as client:
        create: Any = client.chat.completions.create
        with pytest.raises(TypeError, match=message):
            create(model="any", messages=[], libretto=value)


class Fields(Mapping[str, Any]):
    """A mapping that is not a dict."""

    def __getitem__(self, key: str) -> Any:
        return {"prompt_template_name": "mapped", "chat_id": None}[key]

    def __iter__(self) -> Iterator[str]:
        return iter(("prompt_template_name", "chat_id"))

    def __len__(self) -> int:
        return 2


@pytest.mark.parametrize(
    "value",
    [
        LibrettoCreateParams(prompt_template_name="mapped"),
        {"prompt_template_name": "mapped"},
        Fields(),
    ],
    ids=["params", "dict", "mapping"],
)
def test_a_call_may_give_either(
    client: openai.OpenAI, events: CapturedEvents, value: Any
) -> None:
    """libretto= takes a LibrettoCreateParams or any mapping of its fields."""
    create: Any = client.completions.create
    create(model="any", prompt="Hi", libretto=value)
    assert events[0]["apiName"] == "mapped"
