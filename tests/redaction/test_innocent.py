"""Texts and bodies with nothing personal in them stay as they are."""

import json
from pathlib import Path

import pytest

#: One a line; a backslash and an n stand for a line end.
TEXTS = Path(__file__).with_name("innocent.txt").read_text("utf-8").splitlines()

VALUES = [
    {"name": "get_weather"},
    {"name": "Search", "description": "Searches documents."},
    {"name": "New York", "population": 8336817},
    {"model_name": "gpt-4o-mini", "max_tokens": 1000000},
    {"filename": "report_2024.pdf", "path": "/usr/local/lib/python3.11"},
    {"file_name": "meeting_notes_final_v2.docx", "size_bytes": 10485760},
    {"user_id": 12345, "user": "guest", "username": "admin"},
    {"id": "item-42", "session_id": "a1b2c3d4e5f6"},
    {"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736", "timestamp": 1700000000},
    {"from": "2024-01-01", "to": "2024-02-01"},
    {"from": "Berlin", "to": "Paris"},
    {"title": "Chief Engineer", "dept": "Sales", "company": "Acme Inc"},
    {"owner": "team-platform", "author": "unknown", "contact": "support team"},
    {"serial_number": "12345678", "device_number": 12345678},
    {"order_id": "20394857", "sku": "4470-221-98", "zip": "90210"},
    {"sequence_number": 1234567, "views": 1234567890, "total": 1234567},
    {"token_count": 512, "secret": "none", "pin": "true", "card": "ace of spades"},
    {"phone": "n/a", "address": "n/a", "password_hint": "none"},
    {"primary_key": "id", "next_page_token": "abc", "key": "value"},
    {"agent": "planner", "tool": "WebSearch", "function_name": "main"},
    {"names": ["alpha", "beta"], "column_names": ["id", "total", "created_at"]},
    {"table_name": "orders", "index_name": "docs_v2", "cluster_name": "prod-eu-1"},
]


@pytest.mark.parametrize("line", TEXTS)
def test_text(line, redactor, bodies):
    """A text stays as it is, with real line ends and with escaped ones."""
    for text in (line, line.replace("\\n", "\n")):
        assert redactor.redact(text) == text
        body = {"params": {"note": text, "items": [text]}, "response": text}
        assert bodies.redact(body) == body


@pytest.mark.parametrize("value", VALUES, ids=json.dumps)
def test_value(value, bodies):
    """A value stays as it is under its key, as an object and as JSON in a text."""
    body = {"params": value, "response": json.dumps(value)}
    assert bodies.redact(body) == body
