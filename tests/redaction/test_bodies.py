"""Redaction of whole bodies: what is replaced, what is kept and what is withheld."""

import base64
import copy
import json
import logging

import pytest

from libretto_instrument._util import errors
from libretto_instrument.redaction import REDACTION_FAILED, BodyRedactor

EVENT_ID = "f47ac10b-58cc-4372-a567-0e02b2c3d479"
MAIL = "jane.doe@example.com"
CARD = "4111 1111 1111 1111"


def event(**more):
    """Return an event with nothing personal in it, updated with ``more``."""
    body = {
        "apiKey": "lib-4111111111111111",
        "apiName": "john-smith-prompt",
        "promptTemplateName": "john-smith-prompt",
        "promptEventId": EVENT_ID,
        "feedbackKey": "1b4e28ba-2fa1-11d2-883f-0016d3cca427",
        "chainId": "1b4e28ba-2fa1-11d2-883f-0016d3cca428",
        "promptTemplateChat": [
            {"role": "system", "content": "You are a helpful assistant."},
            {"role": "user", "content": "Tell {name} about {topic}."},
        ],
        "params": {"name": "the customer", "topic": "refunds", "count": 3},
        "prompt": {},
        "modelParameters": {
            "model": "ft:gpt-4o-mini-2024-07-18:acme:john:9aBcD3fG",
            "temperature": 0.7,
            "seed": 42,
            "stop": None,
            "stream": True,
            "logit_bias": {"50256": -100},
            "modelProvider": "openai",
            "modelType": "chat",
        },
        "response": "Refunds take 5 days.",
        "responseTime": 1234.5,
        "toolCalls": [
            {
                "id": "call_4155552671aB",
                "type": "function",
                "function": {"name": "get_weather", "arguments": '{"city":"Paris"}'},
            }
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "parameters": {
                        "type": "object",
                        "properties": {"phone": {"type": "string"}},
                    },
                },
            }
        ],
        "rawResponse": {
            "id": "chatcmpl-4155552671aB",
            "object": "chat.completion",
            "created": 1741570283,
            "model": "gpt-4o-2024-08-06",
            "system_fingerprint": "fp_4155552671",
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": "Refunds take 5 days."},
                    "logprobs": None,
                    "finish_reason": "stop",
                }
            ],
            "usage": {"prompt_tokens": 4, "total_tokens": 12},
        },
        "responseMetrics": {"finish_reason": "stop", "usage": {"total_tokens": 12}},
        "context": {"trace": "4bf92f3577b34da6a3ce929d0e0e4736", "attempt": 2},
    }
    return body | more


def test_body_without_personal_data(bodies):
    """A body with nothing personal in it comes out equal, ids and enums included."""
    assert bodies.redact(event()) == event()


@pytest.mark.parametrize(
    "more",
    [
        {"params": {"a": {"b": [{"c": MAIL}]}}},
        {"params": {MAIL: 1}},
        {"promptTemplateText": f"Write to {MAIL}"},
        {"promptTemplateChat": [{"role": "user", "content": MAIL}]},
        {
            "promptTemplateChat": [
                {"role": "user", "content": [{"type": "text", "text": MAIL}]}
            ]
        },
        {"response": MAIL},
        {"toolCalls": [{"function": {"name": "f", "arguments": f'{{"to":"{MAIL}"}}'}}]},
        {"toolCalls": [{"function": {"name": "f", "arguments": f'{{"to":"{MAIL}'}}]},
        {"tools": [{"function": {"name": "f", "description": f"mails {MAIL}"}}]},
        {"rawResponse": {"choices": [{"message": {"content": MAIL}}]}},
        {"rawResponse": {"id": MAIL, "model": MAIL, "object": MAIL}},
        {"modelParameters": {"model": "gpt-4o", "user": MAIL}},
        {"modelParameters": {"model": MAIL, "metadata": {"owner": MAIL}}},
        {"responseErrors": [f"BadRequestError: {MAIL} is not allowed"]},
        {"responseMetrics": {"finish_reason": MAIL}},
        {"context": {"user": MAIL, "role": MAIL, "id": MAIL}},
        {"chatId": MAIL},
        {"chainId": MAIL},
        {"promptEventId": MAIL},
        {"feedbackKey": MAIL},
        {"somethingNew": {"x": MAIL}},
        {MAIL: "x"},
    ],
    ids=",".join,
)
def test_every_field(more, bodies):
    """Personal data is replaced in whatever field it stands."""
    redacted = json.dumps(bodies.redact(event(**more)))
    assert "jane" not in redacted
    assert "<EMAIL_ADDRESS>" in redacted
    assert REDACTION_FAILED not in redacted


def test_feedback_and_chain_result(bodies):
    """Feedback and chain results are redacted, their links and ratings kept."""
    feedback = {
        "feedback_key": EVENT_ID,
        "apiKey": "key",
        "rating": 0.5,
        "better_response": f"Ask {MAIL}",
    }
    chain = {"id": EVENT_ID, "apiKey": "key", "result": {"to": [MAIL], "ok": True}}
    assert bodies.redact(feedback) == feedback | {
        "better_response": "Ask <EMAIL_ADDRESS>"
    }
    assert bodies.redact(chain) == chain | {
        "result": {"to": ["<EMAIL_ADDRESS>"], "ok": True}
    }


def test_json_stays_json(bodies):
    """Arguments are redacted leaf by leaf and stay JSON, JSON inside JSON included."""
    inner = json.dumps({"mail": MAIL, "n": 1.5})
    arguments = json.dumps(
        {"inner": inner, "items": [MAIL, 7, None], "card": 4111111111111111}
    )
    call = {"function": {"name": "f", "arguments": arguments}}
    (redacted,) = bodies.redact(event(toolCalls=[call]))["toolCalls"]
    parsed = json.loads(redacted["function"]["arguments"])
    assert parsed["items"] == ["<EMAIL_ADDRESS>", 7, None]
    assert parsed["card"] == "<CREDIT_CARD>"
    assert json.loads(parsed["inner"]) == {"mail": "<EMAIL_ADDRESS>", "n": 1.5}


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 1.10, "b": [1,2]}',
        '{\n  "a": 1\n}',
        "[]",
        '{"a":1,"a":2}',
        "{name}",
        "{" * 9999,
        "[" * 9999,
        '{"a":' * 900 + "1" + "}" * 900,
    ],
)
def test_json_without_personal_data(text, bodies):
    """JSON with nothing personal in it keeps every character."""
    assert bodies.redact({"response": text}) == {"response": text}


def test_json_keeps_its_layout(bodies):
    """Redacted JSON is laid out like the JSON that came."""
    compact = bodies.redact({"response": f'{{"a":"{MAIL}","b":[1,2]}}'})
    spaced = bodies.redact({"response": f'{{"a": "{MAIL}", "b": [1, 2]}}'})
    indented = bodies.redact({"response": f'{{\n    "a": "{MAIL}"\n}}'})
    assert compact["response"] == '{"a":"<EMAIL_ADDRESS>","b":[1,2]}'
    assert spaced["response"] == '{"a": "<EMAIL_ADDRESS>", "b": [1, 2]}'
    assert indented["response"] == '{\n    "a": "<EMAIL_ADDRESS>"\n}'


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (4111111111111111, "<CREDIT_CARD>"),
        (4111111111111111.0, "<CREDIT_CARD>"),
        (4155552671, "<PHONE_NUMBER>"),
        (14155552671, "<PHONE_NUMBER>"),
        (447911123456, "<PHONE_NUMBER>"),
        (0, 0),
        (-4155552671, -4155552671),
        (20240315, 20240315),
        (1741570283, 1741570283),
        (1741570283123, 1741570283123),
        (1741570283123456789, 1741570283123456789),
        (0.123456789012, 0.123456789012),
        (float("inf"), float("inf")),
        (True, True),
        (None, None),
    ],
)
def test_numbers(number, expected, bodies):
    """Numbers that read as cards or phones are replaced; others keep value and type."""
    redacted = bodies.redact({"params": {"n": number}})["params"]["n"]
    assert redacted == expected
    assert type(redacted) is type(expected)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("firstName", "Xyzzyx", "<PERSON>"),
        ("customer_name", "xi", "<PERSON>"),
        ("phone", 5550134, "<PHONE_NUMBER>"),
        ("home-phone", "467 3395", "<PHONE_NUMBER>"),
        ("ssn", "123456789", "<US_SSN>"),
        ("SSN", 123456789, "<US_SSN>"),
        ("password", "correct horse", "<SECRET>"),
        ("api_key", "abc", "<SECRET>"),
        ("phone", "n/a", "n/a"),
        ("name", "get_weather", "get_weather"),
        ("filename", "report.pdf", "report.pdf"),
        ("shipping_address", "Hammarvägen 15", "<STREET_ADDRESS>"),
        ("mac_address", "00:1A:2B:3C:4D:5E", "00:1A:2B:3C:4D:5E"),
        ("firstName", "42", "42"),
        ("max_tokens", 100, 100),
        ("card", "ace of spades", "ace of spades"),
    ],
)
def test_keys_that_say_what_they_hold(key, value, expected, bodies):
    """A key such as ``first_name`` is believed where the value alone shows nothing."""
    assert bodies.redact({"params": {key: value}})["params"] == {key: expected}


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"phones": ["5550134", ["467 3395"]]}, ["<PHONE_NUMBER>", ["<PHONE_NUMBER>"]]),
        ({"passwords": ["abc", "correct horse"]}, ["<SECRET>", "<SECRET>"]),
        ({"first_names": ["Xyzzyx"]}, ["<PERSON>"]),
        ({"customers": [{"name": "Zorblat"}]}, [{"name": "<PERSON>"}]),
        ({"phone": {"number": "467 3395"}}, {"number": "<PHONE_NUMBER>"}),
        ({"password": {"value": "correct horse"}}, {"value": "<SECRET>"}),
        ({"tax_id": 536904399}, "<US_SSN>"),
    ],
)
def test_keys_say_it_of_all_that_stands_under_them(params, expected, bodies):
    """What a key says holds for the items of a list, also of JSON in a text."""
    (key,) = params
    assert bodies.redact({"params": params})["params"][key] == expected
    response = bodies.redact({"response": json.dumps(params)})["response"]
    assert json.loads(response)[key] == expected


@pytest.mark.parametrize(
    "text",
    [
        '{"name": "Bob"}',
        '{"owner":"JT", "n": [1,2]}',
        '[{"customer": {"name": "Grace"}}]',
        '{"name": "Bob Stone", "tel": "22 44 55 66"}',
        '{"to": {"name": "Mark"}, "a": "\\u0040"}',
        '{"x": "{\\"name\\": \\"Zorblat\\"}"}',
        '{"name": "Bob", "notes": "call Zorb',
        '{"name": "Bob"} and so on',
        '{"a": 1, "name": "Bob", "name": "Rob"}',
    ],
)
def test_json_is_redacted_by_its_keys(text, bodies, redactor):
    """All that the command shows as found in JSON is taken out of an event, too."""
    redacted = bodies.redact({"response": text})["response"]
    for entity in redactor.analyze(text):
        assert text[entity.start : entity.end] not in redacted
    assert "Bob" not in redacted
    assert "Zorblat" not in redacted


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ({"role": "user", "name": "jane_doe"}, {"name": "<PERSON>"}),
        ({"role": "user", "name": "MargaretHoulihan"}, {"name": "<PERSON>"}),
        ({"role": "user", "name": "research_agent"}, {"name": "research_agent"}),
        ({"role": "tool", "tool_call_id": "call_4155552671"}, "<PHONE_NUMBER>"),
        ({"role": "tool", "tool_call_id": "call_abc123DEF456ghi"}, None),
        ({"type": "file", "file": {"filename": "jane_doe_cv.pdf"}}, "<PERSON>"),
        ({"type": "file", "file": {"filename": "minutes-2024.pdf"}}, None),
    ],
)
def test_identifiers_that_callers_make(message, expected, bodies):
    """A name spelled in an identifier is found; other identifiers stay."""
    (redacted,) = bodies.redact({"promptTemplateChat": [message]})["promptTemplateChat"]
    if isinstance(expected, dict):
        assert redacted == message | expected
    elif expected is None:
        assert redacted == message
    else:
        assert expected in json.dumps(redacted)


def test_user(bodies):
    """The end user's id is looked at as an identifier."""
    parameters = {
        "user": "margaret.houlihan-7",
        "safety_identifier": "a1",
    }
    assert bodies.redact({"modelParameters": parameters})["modelParameters"] == {
        "user": "<PERSON>",
        "safety_identifier": "a1",
    }


def test_base64_that_holds_text(bodies):
    """Base64 of a text is looked into, however long; that of a picture is kept."""
    text = base64.b64encode(f"Please write to {MAIL}. ".encode() * 200).decode()
    url = f"data:image/png;base64,{text}"
    picture = (
        "data:image/png;base64," + base64.b64encode(bytes(range(256)) * 9).decode()
    )
    redacted = bodies.redact({"params": {"a": text, "b": url, "c": picture}})["params"]
    assert redacted["a"] == "<EMAIL_ADDRESS>"
    assert text[:99] not in redacted["b"]
    assert redacted["c"] == picture


def test_keys_that_become_one(bodies):
    """No item is lost where two keys are redacted to the same text."""
    params = {"a@example.com": 1, "b@example.com": 2, "c@example.com": 3}
    assert bodies.redact({"params": params})["params"] == {
        "<EMAIL_ADDRESS>": 1,
        "<EMAIL_ADDRESS_2>": 2,
        "<EMAIL_ADDRESS_3>": 3,
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("logprobs", {"content": [{"token": "Mar"}, {"token": "garet"}]}),
        ("logprobs", {"tokens": ["Mar", "garet"], "top_logprobs": [{"Mar": -1}]}),
        ("logprobs", [{"token": "Mar", "bytes": [77]}]),
        ("prompt_logprobs", [{"7": {"decoded_token": "Mar"}}]),
    ],
)
def test_logprobs(key, value, bodies):
    """Log probabilities, which spell the answer in pieces, are replaced whole."""
    choice = {"index": 0, key: value, "finish_reason": "stop"}
    body = {"rawResponse": {"choices": [choice]}, "responseMetrics": {key: value}}
    assert bodies.redact(body) == {
        "rawResponse": {"choices": [choice | {key: "<LOGPROBS>"}]},
        "responseMetrics": {key: "<LOGPROBS>"},
    }


@pytest.mark.parametrize("value", [None, True, 5])
def test_logprobs_that_were_asked_for(value, bodies):
    """The parameter that asks for log probabilities is kept."""
    body = {"modelParameters": {"logprobs": value, "top_logprobs": 3}}
    assert bodies.redact(body) == body


def test_media_is_skipped(bodies):
    """A data URL is kept and not looked through; what stands around it is redacted."""
    seen = []

    class Recording:
        def redact(self, text):
            seen.append(text)
            return text.replace("Jane", "<PERSON>")

        def analyze(self, text):
            return []

    image = "data:image/png;base64," + "iVBORw0KGgo" * 50_000
    body = {"params": {"url": image, "text": f"Jane sent {image} to Jane"}}
    redacted = BodyRedactor(Recording()).redact(body)["params"]
    assert redacted == {"url": image, "text": f"<PERSON> sent {image} to <PERSON>"}
    assert max(map(len, seen)) < 20


def test_text_glued_to_a_data_url(bodies):
    """What follows a data URL without a break does not pass as a part of it."""
    text = f"data:image/png;base64,AAAA{MAIL}"
    assert "example" not in bodies.redact({"response": text})["response"]


def test_callers_objects(bodies):
    """The body that was given, and all that it holds, stays as it was."""
    body = event(params={"a": [MAIL, {"b": CARD}], MAIL: 4111111111111111})
    before = copy.deepcopy(body)
    redacted = bodies.redact(body)
    assert body == before
    assert redacted["params"] is not body["params"]
    assert redacted["modelParameters"] is not body["modelParameters"]


class Broken:
    """A redactor that fails on some texts, quoting them."""

    def redact(self, text):
        if "jane" in text:
            raise ValueError(f"cannot redact {text}")
        return text

    def analyze(self, text):
        raise ValueError(f"cannot analyze {text}")


def test_failing_redactor(caplog):
    """A redactor that raises costs the leaf only, and its message is not logged."""
    caplog.set_level(logging.DEBUG)
    errors.reset()
    params = {"a": MAIL, "b": "fine", "n": 4111111111111111, MAIL: 1}
    redacted = BodyRedactor(Broken()).redact(event(params=params))
    assert redacted["params"] == {
        "a": REDACTION_FAILED,
        "b": "fine",
        "n": REDACTION_FAILED,
        REDACTION_FAILED: 1,
    }
    assert redacted["response"] == "Refunds take 5 days."
    assert redacted["promptEventId"] == EVENT_ID
    assert "ValueError" in caplog.text
    assert "jane" not in caplog.text


def test_redactor_that_returns_no_text(bodies):
    """What a redactor returns in place of a text is not sent."""

    class Wrong(Broken):
        def redact(self, text):
            return None

    assert BodyRedactor(Wrong()).redact({"response": MAIL}) == {
        "response": REDACTION_FAILED
    }


@pytest.mark.parametrize("value", [object(), b"jane", {1, 2}, 1j, Broken])
def test_unknown_types(value, bodies):
    """A value of a type that JSON does not have is withheld."""
    assert bodies.redact({"params": {"a": value, "b": 1}})["params"] == {
        "a": REDACTION_FAILED,
        "b": 1,
    }


def test_deep_nesting(bodies):
    """What is nested too deeply, or in itself, is withheld from some depth on."""
    loop = {"mail": MAIL}
    loop["again"] = loop
    text = json.dumps(bodies.redact({"params": loop}))
    assert REDACTION_FAILED in text
    assert "jane" not in text


def test_time_limit():
    """What is left of a body when its time is over is withheld, but ids and enums."""
    redacted = BodyRedactor(Broken(), time_limit=-1).redact(event())
    assert redacted["response"] == REDACTION_FAILED
    assert redacted["promptEventId"] == EVENT_ID
    assert redacted["modelParameters"]["model"] == event()["modelParameters"]["model"]
    assert redacted["rawResponse"]["usage"] == event()["rawResponse"]["usage"]
    assert redacted["params"][REDACTION_FAILED] == REDACTION_FAILED


@pytest.mark.parametrize(
    "body",
    [
        {"response": "(1 " * 200_000},
        {"params": {"x": [f"{MAIL} {n}" for n in range(50_000)]}},
        {"params": {f"{n}{MAIL}": n for n in range(50_000)}},
        {"response": json.dumps({f"{n}{MAIL}": n for n in range(50_000)})},
        {"params": {"x": list(range(500_000))}},
    ],
    ids=["a text", "a list", "keys", "JSON", "numbers"],
)
def test_time_limit_inside(body, redactor):
    """The limit holds inside a text, a list and an object; the rest is withheld."""
    redacted = json.dumps(BodyRedactor(redactor, time_limit=0.05).redact(body))
    assert REDACTION_FAILED.strip("<>") in redacted
    assert "jane" not in redacted


@pytest.mark.parametrize(
    "text",
    [
        "http://a" + ")" * 1_000_000,
        "-eyJ" * 100_000,
        '{"a": "' + '\\"' * 300_000,
        "\\" * 1_000_000,
        "Dear Bob" + " " * 1_000_000,
        json.dumps({f"{n}@example.com": n for n in range(4_000)}),
    ],
    ids=["brackets", "tokens", "quotes", "backslashes", "spaces", "keys"],
)
def test_long_inputs(text, redactor):
    """Time grows no faster than a text: these would take minutes if it were squared."""
    body = BodyRedactor(redactor, time_limit=30).redact({"response": text})
    assert REDACTION_FAILED not in json.dumps(body)


def test_cache():
    """A text that comes again is not looked through again, as far as the cache goes."""
    seen = []

    class Counting:
        def redact(self, text):
            seen.append(text)
            return text.upper()

        def analyze(self, text):
            return []

    bodies = BodyRedactor(Counting(), cache_limit=1000)
    prompt = "a system prompt that each event repeats"
    for number in range(50):
        result = bodies.redact({"response": prompt, "chatId": f"chat number {number}"})
        assert result["response"] == prompt.upper()
    assert seen.count(prompt) == 1
    assert bodies.redact({"chatId": "chat number 0"}) == {"chatId": "CHAT NUMBER 0"}
    assert seen.count("chat number 0") == 2
