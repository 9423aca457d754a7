"""Bodies as a client sends them, and reading back what became of them."""

from typing import Any
from uuid import uuid4

import httpx

Body = dict[str, Any]


def event(**changes: Any) -> Body:
    """Return an event body; a change to ``None`` leaves the key out."""
    body = {
        "apiKey": "key-of-the-project",
        "apiName": "greeting",
        "promptTemplateName": "greeting",
        "promptEventId": str(uuid4()),
        "feedbackKey": str(uuid4()),
        "promptTemplateChat": [{"role": "user", "content": "Greet {name}."}],
        "params": {"name": "Ada"},
        "prompt": {},
        "modelParameters": {"model": "gpt-5.4-mini", "modelProvider": "openai"},
        "response": "Hello, Ada!",
        "responseTime": 412.5,
        **changes,
    }
    return {key: value for key, value in body.items() if value is not None}


def post(http: httpx.Client, **changes: Any) -> Body:
    """Post an event and return its body."""
    body = event(**changes)
    answer = http.post("/api/event", json=body)
    assert answer.status_code == 200, answer.text
    return body


def rate(http: httpx.Client, body: Body, **feedback: Any) -> Body:
    """Post feedback to an event and return the answer."""
    given = {"apiKey": "k", "feedback_key": body["feedbackKey"], **feedback}
    answer = http.post("/api/feedback", json=given)
    assert answer.status_code == 200, answer.text
    said: Body = answer.json()
    return said


def conclude(http: httpx.Client, chain: str, result: Any) -> None:
    """Post the result of a chain."""
    body = {"apiKey": "k", "id": chain, "result": result}
    assert http.post("/api/v1/updateChain", json=body).status_code == 200


def read(http: httpx.Client, listing: str = "events", **query: Any) -> list[Body]:
    """Return a page of a listing."""
    answer = http.get(f"/api/{listing}", params=query)
    assert answer.status_code == 200, answer.text
    rows: list[Body] = answer.json()[listing]
    return rows


def ids(rows: list[Body]) -> list[str]:
    """Return the ids of events."""
    return [row["id"] for row in rows]
