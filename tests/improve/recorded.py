"""Recorded calls as they lie in a log, and what they say."""

import json
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

Body = dict[str, Any]


def identify(number: int) -> str:
    """Return the same UUID for the same number."""
    return str(uuid5(NAMESPACE_URL, f"case {number}"))


def event(number: int = 0, **changes: Any) -> Body:
    """Return the body of an event; a change to ``None`` leaves the key out."""
    body = {
        "apiName": "greeting",
        "promptTemplateName": "greeting",
        "promptEventId": identify(number),
        "feedbackKey": f"key-{number}",
        "promptTemplateChat": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Greet {name}."},
        ],
        "params": {"name": f"Ada {number}"},
        "prompt": {},
        "modelParameters": {
            "model": "gpt-test",
            "modelProvider": "openai",
            "modelType": "chat",
        },
        "response": f"Hello, Ada {number}!",
        "responseTime": 400.0,
        "responseMetrics": {"usage": {"prompt_tokens": 20, "completion_tokens": 5}},
        **changes,
    }
    return {key: value for key, value in body.items() if value is not None}


def feedback(number: int = 0, **said: Any) -> Body:
    """Return the body of feedback to an event."""
    return {"feedback_key": f"key-{number}", **said}


def write_log(path: Path, *bodies: Body) -> Path:
    """Write a log as `JsonLinesExporter` does."""
    lines = [
        {
            "kind": "feedback" if "feedback_key" in body else "event",
            "id": body.get("promptEventId", body.get("feedback_key")),
            "timestamp": 1_800_000_000.0 + number,
            "body": body,
        }
        for number, body in enumerate(bodies)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), "utf-8")
    return path
