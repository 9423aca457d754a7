"""Quoting a server without quoting ourselves."""

import json

import pytest

from libretto_instrument.delivery._answer import explain

SENT = json.dumps(
    {
        "apiKey": "key-123456",
        "params": {
            "name": "Ada Lovelace",
            "list": ["deep", {"er": "Zürich"}],
            "n": 4711,
        },
        "promptTemplateText": "Tell me about {name}, please.",
    }
).encode()


@pytest.mark.parametrize(
    ("answer", "quoted"),
    [
        ({"error": "promptEventId is missing"}, ": promptEventId is missing"),
        ({"message": "too large"}, ": too large"),
        ({"detail": "no"}, ": no"),
        ({"error": {"code": 3, "message": "deep down"}}, ": deep down"),
        ({"error": "key 'key-123456' is unknown"}, ": key '…' is unknown"),
        ({"error": "KEY-123456?"}, ": …?"),
        ({"error": "what is Ada LOVELACE?"}, ": what is Ada …?"),
        ({"error": "not in Zürich, not 4711"}, ": not in …, not …"),
        ({"error": "two\nlines  here"}, ": two lines here"),
        ({"error": "x " * 500}, ": " + "x " * 99 + "x"),
        ({"error": ["a", "list"]}, ""),
        ({"error": {"name": "nothing known"}}, ""),
        ({"error": "  "}, ""),
        ("just a string", ": just a string"),
        (17, ""),
        (None, ""),
    ],
)
def test_explain(answer, quoted):
    """The server's reason is quoted, short and on one line, less what we had sent."""
    expected = quoted.replace("deep", "…")
    assert explain(json.dumps(answer).encode(), SENT) == expected


@pytest.mark.parametrize("answer", [b"", b"<html>", b"\xff", b'{"a":' * 100_000])
def test_no_json(answer):
    """What is no JSON is not quoted."""
    assert explain(answer, SENT) == ""


def test_cut_in_a_word():
    """A word of ours that the bound on quotes cuts in two is left out as well."""
    answer = json.dumps({"error": "x" * 190 + " key-123456"}).encode()
    assert "key" not in explain(answer, SENT)
