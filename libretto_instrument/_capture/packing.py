"""A record as bytes, of which another process can make the event.

To write a record down costs the caller a quarter of what it costs to make the event and
its JSON. Who reads it may be of a later version: what is written may get more to say,
and nothing that it says may come to mean anything else.
"""

from typing import Any, NamedTuple

from .._config.settings import CallSettings
from .._events import Event
from .._util.ids import new_id
from .._util.json import decode, encode
from .build_event import build_event
from .endpoints.table import ENDPOINTS
from .record import CallRecord

#: Of a longer stream, in bytes, the event is much shorter than what came: each word
#: takes 300.
_LONG_STREAM = 16 * 2**10

#: So many bytes tell the length of the head, which is JSON and tells how long the parts
#: behind it are.
_PREFIX = 4

#: The settings that an event is made of, by their names here and in the head.
_SETTINGS = {
    "api_key": "key",
    "project_key": "project",
    "prompt_template_name": "name",
    "chat_id": "chat",
    "chain_id": "chain",
    "max_field_bytes": "limit",
}


class Makings(NamedTuple):
    """What an event can be made of later.

    Attributes:
        id: The event's id.
        order_key: As for `Event`.
        data: The record.
    """

    id: str
    order_key: str | None
    data: bytes


def pack(record: CallRecord) -> Makings | None:
    """Return a finished record as bytes; None of one that is better made an event."""
    if record.body_kind == "chunks" or not record.is_json_safe:
        return None
    if record.body_kind is not None and record.weight > _LONG_STREAM:
        return None
    settings = record.settings
    parts = [record.response or b"", record.usage or b""]
    head: dict[str, Any] = {
        "endpoint": record.endpoint.name,
        "feedback": record.feedback_key,
        "key": settings.api_key,
        "name": settings.template_name or record.caller,
        "limit": settings.max_field_bytes,
        "request": record.request,
        "started": record.started,
        "ended": record.ended,
    }
    if settings.project_key is not None:
        head["project"] = settings.project_key
    if settings.chat_id is not None:
        head["chat"] = settings.chat_id
    if settings.chain_id is not None:
        head["chain"] = settings.chain_id
    if record.template is not None:
        head["template"] = record.template
        head["scope"] = record.is_from_scope
    if record.params:
        head["params"] = record.params
    if record.context:
        head["context"] = record.context
    if record.errors:
        head["errors"] = record.errors
    if record.stream_status is not None:
        head["status"] = record.stream_status
    if record.text is not None:
        head["text"] = record.text
    if record.body_kind is not None:
        head["form"] = record.body_kind
        head["stamps"] = record.chunk_times
        head["taken"] = record.chunks_consumed
        parts += record.chunks
    head["lengths"] = list(map(len, parts))
    said = encode(head)
    return Makings(
        settings.event_id or new_id(),
        settings.chain_id or settings.chat_id,
        b"".join((len(said).to_bytes(_PREFIX, "little"), said, *parts)),
    )


def unpack(data: bytes, event_id: str) -> tuple[Event, CallSettings]:
    """Return the event of a record that was packed, and what was set for it.

    Raises:
        ValueError, KeyError, TypeError: It is none.
    """
    at = _PREFIX + int.from_bytes(data[:_PREFIX], "little")
    head = decode(data[_PREFIX:at])
    parts = []
    for length in head["lengths"]:
        parts.append(data[at : at + length])
        at += length
    response, usage, *pieces = parts

    record = CallRecord()
    record.endpoint = ENDPOINTS[head["endpoint"]]
    record.settings = CallSettings(
        event_id=event_id,
        **{name: head[its] for name, its in _SETTINGS.items() if its in head},
    )
    record.feedback_key = head["feedback"]
    record.request = head["request"]
    record.template = head.get("template")
    record.is_from_scope = head.get("scope", False)
    record.params = head.get("params")
    record.context = head.get("context")
    record.started, record.ended = head["started"], head["ended"]
    record.response, record.usage = response or None, usage or None
    record.errors = tuple(head.get("errors", ()))
    record.stream_status = head.get("status")
    record.text = head.get("text")
    if "form" in head:
        record.start_streaming(head["form"])
        record.chunks, record.chunk_times = pieces, head["stamps"]
        record.chunks_consumed = head["taken"]
    event = build_event(record)
    if event is None:
        raise ValueError("A record of a call that is not to be recorded.")
    return event, record.settings
