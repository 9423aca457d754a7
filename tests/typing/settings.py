"""What `install()`, `scope()` and the others take, and openai's own clients."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import openai
from openai.types.chat import ChatCompletion
from typing_extensions import assert_type

import libretto_instrument as libretto
from libretto_instrument.testing import capture_events


def before_send(body: dict[str, Any]) -> dict[str, Any] | None:
    """Send an event unless it is a test's."""
    return body if body.get("context") != "test" else None


def of_install() -> None:
    """A configuration, its fields, or both."""
    config = libretto.LibrettoConfig(api_key="key", chat_id=uuid4(), sample_rate=0.5)
    libretto.install()
    libretto.install(config)
    libretto.install(config, redact_pii=True, exit_timeout=1)
    libretto.install(
        api_key="key",
        before_send=before_send,
        context={"release": 7},
        spool_dir=Path("spool"),
        chat_id=uuid4(),
    )
    libretto.attach(openai.OpenAI(), config)
    assert_type(libretto.flush(1), bool)
    assert_type(libretto.stats(), libretto.Stats)
    assert_type(libretto.installed(), bool)


def of_scopes(client: openai.OpenAI) -> None:
    """A scope gives openai's own clients what `libretto=` would."""
    with libretto.scope(
        prompt_template_name="name",
        chat_id=uuid4(),
        context={"user": 7},
        feedback_key="key",
        template_params={"name": "Ada"},
        redact_pii=False,
    ) as scope:
        assert_type(scope, libretto.Scope)
        answer = client.chat.completions.create(model="m", messages=[])
        assert_type(answer, ChatCompletion)
        assert_type(libretto.feedback_key(answer), str | None)


@libretto.scope(prompt_template_name="name")
def decorated(question: str, times: int) -> list[str]:
    """Answers some questions in a scope."""
    return [question] * times


async def of_chains() -> None:
    """Decorated functions keep their types; chains are contexts of both kinds."""
    assert_type(decorated("Why?", times=2), list[str])
    async with libretto.scope(chain_id=uuid4()):
        pass
    with libretto.chain() as chain:
        assert_type(chain, libretto.Chain)
        chain.result = {"any": "thing"}
    with capture_events(prompt_template_name="name") as events:
        assert_type(events[0], dict[str, Any])


def wrong(client: openai.OpenAI) -> None:
    """A field that is none, is another place's, or has the wrong type."""
    # error: call-arg, reportCallIssue
    libretto.install(api_ky="key")
    # error: arg-type, reportArgumentType
    libretto.install(sample_rate="half")
    # error: call-arg, reportCallIssue
    libretto.install(template_text="Hi")
    # error: arg-type, reportArgumentType
    libretto.install({"api_key": "key"})
    # error: call-arg, reportCallIssue
    libretto.scope(event_id="id")
    # error: arg-type, reportArgumentType
    libretto.scope(context="user")
    # error: call-arg, reportCallIssue
    libretto.LibrettoConfig(event_id="id")
    # error: arg-type, reportArgumentType
    libretto.LibrettoConfig(enabled="yes")
    # error: arg-type, reportArgumentType
    decorated("Why?", times="2")
    # error: arg-type, reportArgumentType
    libretto.send_feedback("key", rating="good")
    # On openai's own classes only a scope is known to type checkers.
    # error: call-overload, reportCallIssue
    client.chat.completions.create(model="m", messages=[], libretto={})
