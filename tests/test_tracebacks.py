"""Keys and prompts do not show in what tools print of a traceback's variables."""

from traceback import TracebackException
from typing import Any

import openai
import pytest

import libretto_instrument as libretto
from libretto_instrument._capture.build_event import build_event
from libretto_instrument._capture.credentials import CredentialMask
from libretto_instrument._capture.prompt import Prompt
from libretto_instrument._capture.sse import ParsedEvents
from libretto_instrument._delivery.endpoint import Endpoint
from libretto_instrument._processing.process import Submission
from libretto_instrument._runtime.state import runtime
from libretto_instrument.demo import OfflineModel

KEY = "libretto-key-that-nobody-may-see"
PROMPT = "a prompt that nobody may see"


def ask(client: openai.OpenAI) -> None:
    client.chat.completions.create(
        model="offline-error-400", messages=[{"role": "user", "content": PROMPT}]
    )


def shown(exc: BaseException) -> str:
    """Return the variables of our own frames, as error reporters show them."""
    told = TracebackException.from_exception(exc, capture_locals=True)
    return "\n".join(
        f"{name} = {value}"
        for frame in told.stack
        if "libretto_instrument" in frame.filename
        for name, value in (frame.locals or {}).items()
        # The caller's and openai's own, shown without us, too.
        if name not in ("args", "kwargs", "options")
    )


def test_a_traceback_with_variables(
    client: openai.OpenAI, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error reporter that captures local variables learns neither key nor prompt."""
    taken: list[Any] = []
    monkeypatch.setattr(runtime, "sink", taken.append)
    libretto.install(api_key=KEY, prompt_template_name="name")
    with (
        libretto.scope(api_key=KEY, context={"said": PROMPT}),
        pytest.raises(openai.BadRequestError) as caught,
    ):
        ask(client)
    told = shown(caught.value)
    assert "call = " in told
    assert KEY not in told
    assert PROMPT not in told
    (call,) = taken
    for thing in (call, call.settings, build_event(call), runtime, runtime._resolved):
        assert KEY not in repr(thing)
        assert PROMPT not in repr(thing)


def test_what_holds_prompts_and_keys() -> None:
    """What the worker's frames hold says nothing of prompts, keys or passwords."""
    mask = CredentialMask()
    mask.mask({"api_key": KEY})
    submission: Any = {"payload": PROMPT, "settings": KEY}
    for thing in (
        mask,
        Prompt([PROMPT], {"said": PROMPT}),
        ParsedEvents([PROMPT]),
        Endpoint.parse(f"https://user:{KEY}@proxy.example/{KEY}"),
        Submission(**submission, size=1),
    ):
        assert KEY not in repr(thing)
        assert PROMPT not in repr(thing)


def test_a_client_left_over_from_a_block_still_works(model: OfflineModel) -> None:
    """A client made inside capture_events() goes on taking ``libretto=`` after it."""
    from libretto_instrument.testing import capture_events
    from libretto_openai import Client, LibrettoConfig

    with capture_events():
        made = Client(
            api_key="sk",
            base_url=model.base_url,
            libretto=LibrettoConfig(KEY, "n", enabled=False),
        )
    with made:
        made.chat.completions.create(
            model="m",
            messages=[{"role": "user", "content": "hello"}],
            libretto={"prompt_template_name": "later"},
        )
