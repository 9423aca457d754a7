"""Personal data leaves neither by wire nor to disk nor into the log, wherever it was.

Hypothesis decides what is said, in which field of which call, and by which way it would
leave. The calls are real, and what is searched are the bytes.
"""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openai
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.answers import (
    MESSAGES,
    call_piece,
    chunk,
    chunks,
    completion,
    text_completion,
)
from support.backend import Backend
from support.scripted import DEADLINE, ScriptedModel

import libretto_instrument as libretto
from libretto_instrument.exporters import JsonLinesExporter, MemoryExporter

pytest.importorskip("phonenumbers", reason="the extra pii is not installed")

#: Personal data, and what of it must not be found. No random id can hold any of it.
PLANTED = {
    "jane.doe+spam@mail.example.co.uk": ("jane.doe", "mail.example"),
    "4111 1111 1111 1111": ("1111 1111", "411111111111"),
    "3714-496353-98431": ("496353-9", "371449635398"),
    "536-90-4399": ("536-90-4399", "536904399"),
    "+44 20 7946 0958": ("7946 0958", "442079460958"),
    "(415) 555-2671": ("555-2671", "4155552671"),
    "203.0.113.195": ("203.0.113.195",),
    "https://example.org:8443/u/jane?x=1#y": ("example.org", "jane"),
    "My name is Wilhelmina Featherstone.": ("Wilhelmina", "Featherstone"),
    "742 Evergreen Terrace": ("Evergreen",),
    "GB29 NWBK 6016 1331 9268 19": ("NWBK",),
    "sk-proj-abcDEF0123456789abcDEF": ("abcDEF0123456789",),
    "jane.doe%40mail.example.com": ("jane.doe", "mail.example"),
    "jane.doe&#64;mail.example.com": ("jane.doe", "mail.example"),
    "jane.doe\\u0040mail.example.com": ("jane.doe", "mail.example"),
    "4111\u200b 1111\u2009 1111 1111": ("1111 1111", "4111"),
    "DB_PASS=correcthorse": ("correcthorse",),
}

CHAIN = "0b9b2a3e-6d5c-4c1e-9a51-6f0d5f0a7e11"

Way = Callable[[openai.OpenAI, ScriptedModel, str], object]


def _ask(client: openai.OpenAI, **more: Any) -> Any:
    create: Any = client.chat.completions.create
    return create(model="gpt-test", **{"messages": MESSAGES, **more})


def _tool(description: str) -> dict[str, Any]:
    function = {"name": "f", "description": description, "parameters": {}}
    return {"type": "function", "function": function}


def _called(arguments: str) -> dict[str, Any]:
    function = {"name": "f", "arguments": arguments}
    calls = [{"id": "call_1", "type": "function", "function": function}]
    return completion(None, tool_calls=calls)


def _a_field_of_the_request(field: Callable[[str], dict[str, Any]]) -> Way:
    def way(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
        server.answer(completion())
        _ask(client, **field(said))

    return way


def _the_answer(answer: Callable[[str], dict[str, Any]]) -> Way:
    def way(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
        server.answer(answer(said))
        _ask(client)

    return way


def _a_stream(answer: Callable[[str], list[Any]]) -> Way:
    def way(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
        server.stream(*answer(said))
        for _ in _ask(client, stream=True):
            pass

    return way


def _a_setting(setting: Callable[[str], dict[str, Any]]) -> Way:
    def way(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
        server.answer(completion())
        _ask(client, libretto=setting(said))

    return way


def _raw(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
    server.answer(completion(said))
    client.chat.completions.with_raw_response.create(
        model="gpt-test", messages=MESSAGES
    )


def _text(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
    server.answer(text_completion(said))
    client.completions.create(model="gpt-test", prompt=[said, said])


def _error(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
    server.answer({"error": {"message": said, "param": said}}, status=400)
    with pytest.raises(openai.BadRequestError):
        _ask(client)


def _error_in_a_stream(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
    server.stream(chunk("he"), {"error": {"message": said}})
    with pytest.raises(openai.APIError):
        list(_ask(client, stream=True))


def _feedback(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
    libretto.send_feedback("key-1", rating=0.5, better_response=said)


def _key_of_feedback(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
    libretto.send_feedback(said, rating=0.5)


def _id_of_a_result(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
    libretto.update_chain(said, "done")


def _chain_result(client: openai.OpenAI, server: ScriptedModel, said: str) -> None:
    libretto.update_chain(CHAIN, {"said": [said], said: 1})


def _logprobs(said: str) -> dict[str, Any]:
    tokens = [said[at : at + 3] for at in range(0, len(said), 3)]
    answer = completion(said)
    answer["choices"][0]["logprobs"] = {
        "content": [
            {
                "token": one,
                "bytes": list(one.encode()),
                "logprob": 0,
                "top_logprobs": [],
            }
            for one in tokens
        ]
    }
    return answer


WAYS: dict[str, Way] = {
    "a message": _a_field_of_the_request(
        lambda said: {"messages": [{"role": "user", "content": said}]}
    ),
    "a part of a message": _a_field_of_the_request(
        lambda said: {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": said}]},
                {"role": "user", "name": said, "content": ""},
            ]
        }
    ),
    "identifiers": _a_field_of_the_request(
        lambda said: {
            "messages": [
                {"role": "tool", "tool_call_id": said, "content": ""},
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "file",
                            "file": {"filename": said, "file_id": "file-1"},
                        }
                    ],
                },
            ]
        }
    ),
    "keys that the caller made": _a_field_of_the_request(
        lambda said: {"metadata": dict.fromkeys(("id", "type", "role", "status"), said)}
    ),
    "the template": _a_field_of_the_request(
        lambda said: {
            "messages": libretto.TemplateChat(
                [{"role": "user", "content": said + " {x}"}], {"x": 1}
            )
        }
    ),
    "a parameter": _a_field_of_the_request(
        lambda said: {
            "messages": libretto.TemplateChat(
                [{"role": "user", "content": "{x}"}], {"x": said, said: [said]}
            )
        }
    ),
    "a tool": _a_field_of_the_request(lambda said: {"tools": [_tool(said)]}),
    "the user": _a_field_of_the_request(lambda said: {"user": said, "stop": [said]}),
    "metadata": _a_field_of_the_request(lambda said: {"metadata": {"a": said}}),
    "an argument of their own": _a_field_of_the_request(
        lambda said: {"extra_body": {"deep": {said: [said]}}}
    ),
    "the answer": _the_answer(completion),
    "a refusal": _the_answer(lambda said: completion(None, refusal=said)),
    "a field nobody knows": _the_answer(lambda said: completion("a", thoughts=said)),
    "log probabilities": _the_answer(_logprobs),
    "a call of a tool": _the_answer(
        lambda said: _called(json.dumps({"to": [said], said: 1}))
    ),
    "a call that is not JSON": _the_answer(lambda said: _called(f"{{to: {said}")),
    "a stream": _a_stream(chunks),
    "a stream in pieces": _a_stream(lambda said: chunks(*said)),
    "a stream's call": _a_stream(
        lambda said: [
            chunk(tool_calls=[call_piece(0, '{"a": "', "call_1", "f")]),
            *(chunk(tool_calls=[call_piece(0, one)]) for one in said),
            chunk(tool_calls=[call_piece(0, '"}')]),
            chunk(finish="tool_calls"),
        ]
    ),
    "the context": _a_setting(lambda said: {"context": {"user": said, said: {"a": 1}}}),
    "the chat's id": _a_setting(lambda said: {"chat_id": said}),
    "the feedback key": _a_setting(lambda said: {"feedback_key": said}),
    "the event's id": _a_setting(lambda said: {"event_id": said}),
    "the chain's id": _a_setting(lambda said: {"chain_id": said, "chat_id": said}),
    "template parameters": _a_setting(
        lambda said: {
            "template_chat": [{"role": "user", "content": said}],
            "template_params": {"x": said},
        }
    ),
    "raw": _raw,
    "text": _text,
    "an error": _error,
    "an error in a stream": _error_in_a_stream,
    "feedback": _feedback,
    "the key of feedback": _key_of_feedback,
    "a chain's result": _chain_result,
    "the id of a result": _id_of_a_result,
}

WORDS = st.sampled_from(["", "please look this over", "it broke.\n"])
LIMITS = settings(
    max_examples=120,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def _install(**more: Any) -> None:
    libretto.install(
        api_key="key", prompt_template_name="private", redact_pii=True, **more
    )


@given(
    way=st.sampled_from(list(WAYS)),
    planted=st.sampled_from(list(PLANTED)),
    before=WORDS,
    after=WORDS,
)
@LIMITS
def test_by_wire(
    way: str,
    planted: str,
    before: str,
    after: str,
    scripted: openai.OpenAI,
    server: ScriptedModel,
    backend: Backend,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No byte that Libretto is sent holds any of it."""
    caplog.set_level(logging.DEBUG, logger="libretto_instrument")
    caplog.clear()
    _install()
    sent = len(backend.received)
    WAYS[way](scripted, server, f"{before}\n{planted}\n{after}")
    assert libretto.flush(DEADLINE)
    bodies = [request.body for request in backend.received[sent:]]
    assert len(bodies) == 1
    _assert_absent(planted, bodies[0], caplog)
    assert b"REDACTION_FAILED" not in bodies[0]


@given(
    way=st.sampled_from(list(WAYS)),
    planted=st.sampled_from(list(PLANTED)),
    before=WORDS,
    after=WORDS,
)
@LIMITS
def test_to_disk(
    way: str,
    planted: str,
    before: str,
    after: str,
    scripted: openai.OpenAI,
    server: ScriptedModel,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No byte of the spool's files holds any of it."""
    caplog.set_level(logging.DEBUG, logger="libretto_instrument")
    caplog.clear()
    _install(spool_dir=tmp_path / "spool", spool_only=True)
    spooled = libretto.stats().spooled
    WAYS[way](scripted, server, f"{before}\n{planted}\n{after}")
    libretto.flush(DEADLINE)
    assert libretto.stats().spooled == spooled + 1
    files = [path for path in (tmp_path / "spool").iterdir() if path.is_file()]
    _assert_absent(planted, b"".join(path.read_bytes() for path in files), caplog)


@given(
    way=st.sampled_from(list(WAYS)),
    planted=st.sampled_from(list(PLANTED)),
    before=WORDS,
    after=WORDS,
)
@LIMITS
def test_by_an_exporter(
    way: str,
    planted: str,
    before: str,
    after: str,
    scripted: openai.OpenAI,
    server: ScriptedModel,
    backend: Backend,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No report that an exporter is given holds any of it, ids included."""
    caplog.set_level(logging.DEBUG, logger="libretto_instrument")
    caplog.clear()
    memory, path = MemoryExporter(), tmp_path / "reports.jsonl"
    _install(exporters=[memory, JsonLinesExporter(path)])
    before_it = path.stat().st_size if path.exists() else 0
    WAYS[way](scripted, server, f"{before}\n{planted}\n{after}")
    assert libretto.flush(DEADLINE)
    [report] = memory.records
    lines = path.read_bytes()[before_it:]
    assert lines.endswith(b"\n")
    _assert_absent(planted, lines + repr(report).encode(), caplog)
    _assert_absent(planted, repr(report.body).encode(), caplog)


def _assert_absent(
    planted: str, found: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    logged = "\n".join(record.getMessage() for record in caplog.records)
    for part in PLANTED[planted]:
        assert part.encode() not in found
        assert part not in logged
