"""What a recorded body says, read by plain rules that share no code with the library.

The tests hold the library's events against it. It knows the three endpoints' formats,
whole and streamed, and reads bytes that a server sent, nothing else.
"""

import json
import re
from typing import Any

from attrs import define, field


@define
class Reading:
    """What an answer says.

    Attributes:
        text: The first choice's text.
        calls: The calls of tools: id, type, name and arguments of each.
        usage: The usage, verbatim.
        errors: The messages of errors that stand in the body.
    """

    text: str | None = None
    calls: list[tuple[Any, str, str, str]] = field(factory=list)
    usage: Any = None
    errors: list[str] = field(factory=list)


def read(endpoint: str, body: str, is_sse: bool) -> Reading:
    """Read a response's body.

    Args:
        endpoint: ``chat``, ``completions`` or ``responses``.
        body: The body as text.
        is_sse: Whether it is a stream of server-sent events.
    """
    said = sse_data(body) if is_sse else [json.loads(body)]
    readers = {"chat": _chat, "completions": _completion, "responses": _response}
    reading: Reading = readers[endpoint](said)
    for document in said:
        error = document.get("error")
        if error:
            message = error["message"] if isinstance(error, dict) else error
            reading.errors.append(str(message))
    return reading


def sse_data(body: str) -> list[dict[str, Any]]:
    """Return the JSON documents of a stream of server-sent events."""
    documents, lines = [], []
    for line in [*re.split("\r\n|\n|\r", body), ""]:
        if line.startswith("data:"):
            lines.append(line[5:].strip())
        elif not line and lines:
            text = "\n".join(lines)
            lines = []
            if text.startswith("[DONE]"):
                break
            documents.append(json.loads(text))
    return documents


def _chat(documents: list[dict[str, Any]]) -> Reading:
    reading = Reading()
    contents: list[str] = []
    refusals: list[str] = []
    spoken: list[str] = []
    calls: list[dict[str, str]] = []
    legacy = {"id": None, "type": "function", "name": "", "arguments": ""}
    at: dict[Any, dict[str, str]] = {}
    for document in documents:
        reading.usage = document.get("usage") or reading.usage
        for choice in document.get("choices") or []:
            if choice.get("index") not in (0, None):
                continue
            message = choice.get("message") or choice.get("delta") or {}
            content = message.get("content")
            if isinstance(content, list):
                content = "".join(part.get("text") or "" for part in content)
            if isinstance(content, str):
                contents.append(content)
            refusals.append(message.get("refusal") or "")
            spoken.append((message.get("audio") or {}).get("transcript") or "")
            for name, value in (message.get("function_call") or {}).items():
                legacy[name] += value or ""
            for number, piece in enumerate(message.get("tool_calls") or []):
                index = piece.get("index", number)
                call = at.get(index)
                if call is None or (piece.get("id") or call["id"]) != call["id"]:
                    call = {"id": piece.get("id"), "type": "function"}
                    call.update(name="", arguments="")
                    at[index] = call
                    calls.append(call)
                call["type"] = piece.get("type") or call["type"]
                function = piece.get("function") or piece.get("custom") or {}
                name = function.get("name") or ""
                call["name"] += "" if name == call["name"] else name
                given = function.get("arguments") or function.get("input") or ""
                call["arguments"] += given
    if legacy["name"] and not calls:
        calls = [legacy]
    reading.calls = [
        (call["id"], call["type"], call["name"], call["arguments"]) for call in calls
    ]
    if contents:
        reading.text = "".join(contents)
    elif calls:
        reading.text = ""
    else:
        reading.text = "".join(refusals) or "".join(spoken) or None
    return reading


def _completion(documents: list[dict[str, Any]]) -> Reading:
    choices = [c for document in documents for c in document.get("choices") or []]
    if any("message" in choice or "delta" in choice for choice in choices):
        return _chat(documents)
    reading = Reading()
    for document in documents:
        reading.usage = document.get("usage") or reading.usage
        for choice in document.get("choices") or []:
            if choice.get("index") in (0, None):
                reading.text = (reading.text or "") + (choice.get("text") or "")
    return reading


def _response(documents: list[dict[str, Any]]) -> Reading:
    """Read the response itself; a stream's last event that has one has it whole."""
    if any("type" in document for document in documents):
        whole = [event["response"] for event in documents if "response" in event]
        document = whole[-1]
    else:
        (document,) = documents
    reading = Reading(usage=document.get("usage"))
    texts, refusals = [], []
    for item in document.get("output") or []:
        if item["type"] == "message":
            for part in item["content"]:
                if part["type"] == "output_text":
                    texts.append(part["text"])
                elif part["type"] == "refusal":
                    refusals.append(part["refusal"])
        elif item["type"] == "function_call":
            reading.calls.append(
                (item["call_id"], "function", item["name"], item["arguments"])
            )
        elif item["type"] == "custom_tool_call":
            reading.calls.append(
                (item["call_id"], "custom", item["name"], item["input"])
            )
    if texts:
        reading.text = "".join(texts)
    elif reading.calls:
        reading.text = ""
    else:
        reading.text = "".join(refusals) or None
    return reading
