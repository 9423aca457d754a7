"""The Responses API: merging the events of a stream into a response.

The closing event holds the response. Where it never came, or leaves out what the
events before it brought, as some gateways' does, that is put together from these.
"""

from typing import Any, NamedTuple

from .deltas import append_delta, finalize, is_blank, merge_delta, overlay
from .response_item import Annotations, Item
from .summary import iter_mappings
from .tool_calls import to_index

__all__ = ["merge_events"]

_TERMINAL_EVENTS = frozenset(
    (
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
        "response.done",
    )
)


class _Field(NamedTuple):
    """Where the text of an event belongs.

    Attributes:
        item_type: The type of the item.
        field: The field of the item or of its part.
        parts: The item's list of parts that the text is in; None if in the item.
        part_type: The type of the part.
    """

    item_type: str
    field: str
    parts: str | None = None
    part_type: str | None = None


#: By the type of the event, without ``response.`` and ``.delta`` or ``.done``. Earlier
#: versions of the API had other separators, so all of these are underscores.
_FIELDS = {
    "output_text": _Field("message", "text", "content", "output_text"),
    "text": _Field("message", "text", "content", "output_text"),
    "refusal": _Field("message", "refusal", "content", "refusal"),
    "reasoning_text": _Field("reasoning", "text", "content", "reasoning_text"),
    "reasoning": _Field("reasoning", "text", "content", "reasoning_text"),
    "reasoning_summary": _Field("reasoning", "text", "summary", "summary_text"),
    "reasoning_summary_text": _Field("reasoning", "text", "summary", "summary_text"),
    "function_call_arguments": _Field("function_call", "arguments"),
    "custom_tool_call_input": _Field("custom_tool_call", "input"),
    "mcp_call_arguments": _Field("mcp_call", "arguments"),
    "code_interpreter_call_code": _Field("code_interpreter_call", "code"),
    "shell_call_command": _Field("shell_call", "command", "commands"),
    "shell_call_output_content": _Field("shell_call_output", "output", "output"),
}

#: Fields of an item that hold what the model said.
_CONTENT_FIELDS = ("arguments", "code", "content", "input", "output", "summary")

#: Events that bring a part, or what belongs to one.
_PARTS = {
    "content_part": "content",
    "reasoning_summary_part": "summary",
    "output_text_annotation": "content",
}


#: How much of a text is searched for a delta that comes late.
_MAX_LATE_CHARS = 10_000


def merge_events(
    events: list[Any], request: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Return the response that a stream's events amount to."""
    response: dict[str, Any] = {}
    output = _Output()
    for event in iter_mappings(events):
        kind, held = event.get("type"), event.get("response")
        if isinstance(held, dict):
            response = overlay(response, held)
        if kind in _TERMINAL_EVENTS:
            break
        if kind == "error" or event.get("error"):
            response["error"] = event if kind == "error" else event["error"]
        output.add(event)
    if output.items:
        response["output"] = output.complete(iter_mappings(response.get("output")))
    return response


class _Output:
    """The output items of a streamed response."""

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._by_index: dict[int, Item] = {}
        self._by_id: dict[tuple[int, str], Item] = {}
        self._index_by_id: dict[str, int] = {}
        self._last = 0

    def add(self, event: dict[str, Any]) -> None:
        """Add what an event brings to its item."""
        kind = str(event.get("type")).removeprefix("response.").replace(".", "_")
        subject, _, phase = kind.rpartition("_")
        path, item = _FIELDS.get(subject), event.get("item")
        if subject in ("audio", "audio_transcript") and phase == "delta":
            # The API does not say which item it belongs to.
            field = "transcript" if subject == "audio_transcript" else "data"
            audio = self._item(event, "message").part("content", None, "output_audio")
            merge_delta(audio, {field: event.get("delta")})
        elif subject == "output_item" and isinstance(item, dict):
            known = self._item(event, item.get("type"))
            known.is_added = True
            known.is_done = phase == "done"
            known.update(item)
        elif subject in _PARTS and phase in ("added", "done"):
            self._add_part(event, _PARTS[subject])
        elif kind == "image_generation_call_partial_image":
            image = self._item(event, "image_generation_call")
            image.fields["result"] = event.get("partial_image_b64")
        elif path is not None:
            self._add_text(event, path, phase)
        elif phase == "delta" and isinstance(event.get("delta"), str):
            # A kind of event that is not known yet.
            merge_delta(self._item(event, None).fields, {subject: event["delta"]})

    def _add_part(self, event: dict[str, Any], parts: str) -> None:
        item = self._item(event, "reasoning" if parts == "summary" else "message")
        part, annotation = event.get("part"), event.get("annotation")
        if isinstance(part, dict):
            kind = part.get("type")
            known = item.part(parts, _part_index(event), kind)
            known.update(overlay(finalize(known), part))
        elif annotation is not None:
            known = item.part(parts, _part_index(event), "output_text")
            found = known.get("annotations")
            if type(found) is not Annotations:
                found = known["annotations"] = Annotations(found or ())
            found.append(annotation)

    def _add_text(self, event: dict[str, Any], path: _Field, phase: str) -> None:
        item = self._item(event, path.item_type)
        if path.parts is None:
            target = item.fields
        else:
            target = item.part(path.parts, _part_index(event), path.part_type)
        delta, final = event.get("delta"), event.get(path.field)
        text = (path, _part_index(event))
        if phase == "done":
            item.done.add(text)
        elif (
            (text in item.done or item.is_done)
            and isinstance(delta, str)
            and delta in str(target.get(path.field) or "")[:_MAX_LATE_CHARS]
        ):
            return  # It comes late, or again.
        if phase == "done" or (phase == "added" and path.field == "command"):
            if path.field == "output" and isinstance(final, list):
                item.update({"output": final})
            elif isinstance(final, str | dict) and final:
                target[path.field] = append_delta(None, final)
        elif isinstance(delta, dict) and path.parts is not None:
            merge_delta(target, delta)
        elif isinstance(delta, str | dict):
            merge_delta(target, {path.field: delta})
        logprobs = event.get("logprobs")
        if path.field == "text" and isinstance(logprobs, list) and logprobs:
            known = None if phase == "done" else target.get("logprobs")
            target["logprobs"] = append_delta(known, logprobs)

    def _item(self, event: dict[str, Any], kind: str | None) -> Item:
        """Return the item that an event is about, by its index, its id, or the last.

        Some gateways give all items one index, and others an item several ids.
        """
        item = event.get("item")
        identity = event.get("item_id") or (
            item.get("id") if isinstance(item, dict) else None
        )
        index = to_index(event.get("output_index"))
        if not isinstance(index, int):
            index = self._last
            if isinstance(identity, str):
                index = self._index_by_id.get(identity, len(self.items))
        elif item is None and isinstance(identity, str):
            # Some gateways number the events of an item.
            known = self._index_by_id.get(identity, index)
            other = self._by_index.get(known)
            if (
                index not in self._by_index
                and other
                and other.fields.get("type") == kind
            ):
                index = known
        self._last = index
        found = self._by_index.get(index)
        if isinstance(identity, str):
            self._index_by_id[identity] = index
            found = self._by_id.get((index, identity), found)
        if found is None or found.is_followed_by(event, kind, identity):
            found = Item(kind, index)
            self.items.append(found)
        elif kind is not None:
            found.fields.setdefault("type", kind)
        self._by_index[index] = found
        if isinstance(identity, str):
            found.ids.add(identity)
            self._by_id[index, identity] = found
        return found

    def complete(self, closing: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return the output that the response gives, with what only events brought."""
        items = sorted(self.items, key=lambda item: item.index)
        built = [(item.index, item.build()) for item in items]
        if not closing:
            return [item for _, item in built]
        output, matched = list(closing), set[int]()
        # By id first; some gateways give an item another one, or none, at the end.
        for name in ("id", "type"):
            places: dict[str, list[int]] = {}
            for place in reversed(range(len(closing))):
                if place not in matched:
                    places.setdefault(str(closing[place].get(name)), []).append(place)
            rest = []
            for at, item in built:
                found = places.get(str(item.get(name)))
                if not found or item.get(name) is None:
                    rest.append((at, item))
                    continue
                place = found.pop()
                matched.add(place)
                output[place] = _fill_in(closing[place], item)
            built = rest
        for at, item in built:
            if _fill_in({}, item):
                output.insert(at, item)
        return output


def _fill_in(closing: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with the content that only another form of it has."""
    missing = {
        name: item[name]
        for name in _CONTENT_FIELDS
        if _is_empty(closing.get(name)) and not _is_empty(item.get(name))
    }
    return {**closing, **missing} if missing else closing


def _is_empty(content: Any) -> bool:
    """Return whether content is blank, or a list of parts that are, but for a type."""
    if not isinstance(content, list):
        return is_blank(content)
    return all(
        is_blank({**part, "type": None} if isinstance(part, dict) else part)
        for part in content
    )


def _part_index(event: dict[str, Any]) -> int | None:
    for name in ("content_index", "summary_index", "command_index"):
        if isinstance(event.get(name), int):
            return int(event[name])
    return None
