"""Whatever is sent, and whatever is asked for: never a 5xx."""

import json
from typing import Any
from urllib.parse import quote_from_bytes

import httpx
import pytest

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from .wire import conclude, event, post, rate, read  # noqa: E402

FILTERS = (
    *("q", "prompt", "chat", "context", "rating", "since"),
    *("chain", "error", "revision", "until", "sort", "from", "to", "token"),
    *("before", "after", "limit", "id", "x"),
)
PATHS = ("/api/event", "/api/feedback", "/api/v1/updateChain")

texts = st.text(st.characters(exclude_categories=())) | st.sampled_from(
    ["", "\0", "{a}", "{a.b[0]}", "\\{a\\}", "\ud800", "user", "chat_history", "=1"]
)
scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0.5, -1.0, 1e308, 10**30, 2**63, -(2**63), float("nan")])
    | texts
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4)
    ),
    max_leaves=12,
)
messages = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "role": st.sampled_from(["user", "system", "chat_history"]) | values,
            "content": texts | values,
            "tool_calls": values | st.lists(values, max_size=2),
            "name": values,
        },
    ),
    max_size=3,
)
changes = st.fixed_dictionaries(
    {},
    optional={
        "promptTemplateChat": messages,
        "promptTemplateText": texts,
        "params": st.dictionaries(texts, values, max_size=4),
        "modelParameters": st.dictionaries(
            texts | st.just("model"), values, max_size=3
        ),
        "response": texts,
        "responseTime": st.floats(0, 1e11) | st.integers(0, 10**11),
        "tools": st.lists(values, max_size=2),
        "toolCalls": st.lists(
            st.dictionaries(
                st.sampled_from(["id", "function", "x"]), values, max_size=3
            ),
            max_size=2,
        ),
        "rawResponse": st.dictionaries(
            st.sampled_from(["model", "usage", "choices", "id"]), values, max_size=4
        ),
        "responseMetrics": st.fixed_dictionaries(
            {},
            optional={
                "usage": values | st.just({"total_tokens": 2**62}),
                "finish_reason": values,
                "time_to_first_token": values,
                "stream_status": values,
            },
        ),
        "responseErrors": st.lists(texts, max_size=2),
        "chatId": texts,
        "chainId": texts,
        "apiName": texts,
        "promptTemplateName": texts,
        "context": st.dictionaries(texts, values, max_size=3),
    },
)
relaxed = settings(
    deadline=None,
    max_examples=150,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def _send(http: httpx.Client, path: str, body: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body)
    answer = http.post(path, content=content)
    assert answer.status_code < 500, (answer.text, body)
    if answer.status_code >= 400:
        assert answer.json()["error"]["message"]
    return answer


@relaxed
@given(path=st.sampled_from(PATHS), body=st.binary(max_size=200) | values)
def test_anything(http: httpx.Client, path: str, body: Any) -> None:
    """Any bytes and any JSON are taken or refused with a reason."""
    _send(http, path, body)


@relaxed
@given(key=st.sampled_from(sorted(event())), value=values)
def test_any_value_of_any_key(http: httpx.Client, key: str, value: Any) -> None:
    """An event with any value under any key is taken or refused with a reason."""
    answer = _send(http, "/api/event", event() | {key: value})
    assert answer.status_code == 200 or key in answer.text or "JSON" in answer.text


@relaxed
@given(changes=changes)
def test_what_is_taken_can_be_shown(
    http: httpx.Client, changes: dict[str, Any]
) -> None:
    """Every event that is taken is shown on its page, in listings and in exports."""
    body = event() | changes
    answer = _send(http, "/api/event", body)
    if answer.status_code != 200:
        assert json.dumps(body).find("NaN") >= 0, answer.text
        return
    found = http.get("/api/events", params={"id": body["promptEventId"]})
    (row,) = found.json()["events"]
    for path in (row["url"], "/", "/events?limit=1", "/events.csv?limit=1"):
        assert http.get(path).status_code == 200, (path, body)
    for name, kind in (("chats", "chat_id"), ("chains", "chain_id")):
        if row[kind] is not None:
            page = http.get(f"/{name}", params={"id": row[kind]})
            assert page.status_code == 200 or not row[kind].strip()
    page = http.get("/revisions", params={"prompt": row["prompt"]})
    assert page.status_code == 200, body


@relaxed
@given(
    path=st.sampled_from(["/api/feedback", "/api/v1/updateChain"]),
    body=st.fixed_dictionaries(
        {"apiKey": st.just("k")},
        optional={
            "feedback_key": texts,
            "id": texts,
            "rating": values,
            "better_response": values,
            "is_deleted": values,
            "result": values,
        },
    ),
)
def test_any_feedback_and_result(http: httpx.Client, path: str, body: Any) -> None:
    """Any feedback and any result is taken or refused with a reason, and readable."""
    _send(http, path, body)
    for listing in ("feedback", "chains"):
        assert http.get(f"/api/{listing}").status_code == 200


PAGES = (
    *("/", "/events", "/chats", "/chains", "/revisions", "/help", "/events/1"),
    *("/api/events", "/api/prompts", "/api/chats", "/api/chains", "/api/feedback"),
    *("/events.csv", "/events.jsonl", "/prompts.csv", "/chats.jsonl"),
)
words = (
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
    | st.integers().map(str)
    | st.from_regex(r"-?\d{1,25}[smhdw]?", fullmatch=True)
    | st.sampled_from(["greeting", "a=", "=", '"', "*", "AND", "NEAR(a b)", "\0", "c"])
)


@relaxed
@given(
    path=st.sampled_from(PAGES),
    query=st.dictionaries(st.sampled_from(FILTERS), words, max_size=3),
)
def test_any_question(http: httpx.Client, path: str, query: dict[str, str]) -> None:
    """Any question to any page is answered or refused with a reason."""
    if not read(http, limit=1):
        conclude(http, "c", "done")
        rate(http, post(http, chatId="c", chainId="c", context={"a": 1}), rating=1)
    answer = http.get(path, params=query)
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        is_json = path.startswith("/api") or path.endswith(".jsonl")
        assert answer.json() if is_json else "<h1>" in answer.text


@relaxed
@given(
    raw=st.binary(max_size=60) | st.text(max_size=30).map(str.encode),
    path=st.sampled_from(PAGES),
)
def test_any_bytes_for_a_question(http: httpx.Client, path: str, raw: bytes) -> None:
    """A query of any bytes, well-formed or not, is never a fault of the collector."""
    quoted = quote_from_bytes(raw, safe="=&%;+")
    assert http.get(f"{path}?{quoted}").status_code < 500
