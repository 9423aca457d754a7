"""From the record of a call to the event that tells of it. Runs on the worker.

Records hold JSON that some gateway sent; whatever cannot be read that way is reported
as it came, and never stops the event.
"""

import json
from typing import Any

from attrs import frozen

from .._events import Event
from .._util.ids import fresh_id
from .._util.json import decode, encode, photograph_given
from . import sse
from .endpoints.summary import Answer
from .endpoints.table import Shape
from .prompt import add_candidates, name_event, read_prompt
from .record import Record


@frozen
class _Response:
    """A response as it can be read.

    Attributes:
        raw: The response, where it is an object.
        text: The response, where it is plain text.
        first: When the first of a streamed answer came, by `time.perf_counter`.
        whole: The stream said itself that it was over.
    """

    raw: dict[str, Any] | None = None
    text: str | None = None
    first: float | None = None
    whole: bool = False


def event_of(record: Record) -> Event | None:
    """Return the event that tells of a finished record.

    None if it may only be recorded under a template's name, and none is recognised.
    """
    response = _response(record)
    raw, settings = response.raw, record.settings
    answer = record.shape.read(raw) if raw else Answer(text=response.text)
    prompt = read_prompt(record)
    template, name = prompt.template, name_event(record, prompt)
    if name is None and not (settings.allow_unnamed_prompts or prompt.candidates):
        return None
    return Event(
        api_key=settings.api_key,
        project_key=settings.project_key,
        api_name=name,
        event_id=settings.event_id or fresh_id(),
        feedback_key=record.feedback_key,
        template_chat=template if isinstance(template, list) else None,
        template_text=template if isinstance(template, str) else None,
        params=prompt.params,
        model_parameters=_model_parameters(record),
        response=answer.text,
        response_time=_milliseconds(record.started, record.ended),
        tools=record.request.get("tools"),
        tool_calls=answer.tool_calls,
        raw_response=raw,
        response_metrics={**answer.metrics, **_metrics(record, response)},
        response_errors=[*record.errors, *answer.errors],
        chat_id=settings.chat_id,
        chain_id=settings.chain_id,
        context=add_candidates(record.context, prompt),
    )


def _response(record: Record) -> _Response:
    if record.response is not None:
        return _as_object(record.response)
    if record.form == "chunks":
        chunks = [_plain(chunk) for chunk in record.pieces]
        return _assembled(record.shape, chunks, record.stamps)
    if record.form == "events":
        return _streamed(record, sse.read(record.pieces))
    if record.form == "bytes":
        return _as_object(b"".join(record.pieces))
    return _Response(text=record.text)


def _streamed(record: Record, events: sse.Events) -> _Response:
    """Return the response that the events of a body amount to.

    Of chunks that the caller was handed, those count that were taken: how many came
    with the last of them is chance.
    """
    if not events.data:
        # Asked for a stream, some gateways answer with an object.
        whole = _as_object(b"".join(record.pieces)).raw
        return _Response(raw=whole, whole=whole is not None or events.finished)
    stamps = [record.stamps[at] for at in events.pieces] if record.stamps else []
    if record.taken is None:
        return _assembled(record.shape, events.data, stamps, events.finished)
    return _assembled(record.shape, events.data[: record.taken], stamps)


def _plain(chunk: Any) -> Any:
    """Return a chunk, a pydantic model, as the API gave it."""
    given = photograph_given(chunk) if hasattr(chunk, "model_dump") else encode(chunk)
    return decode(given)


def _as_object(data: bytes) -> _Response:
    if not data:
        return _Response()
    try:
        value = decode(data)
    except ValueError:
        return _Response(text=data.decode(errors="replace"))
    if isinstance(value, dict):
        return _Response(raw=value)
    return _Response(text=value if isinstance(value, str) else json.dumps(value))


def _assembled(
    shape: Shape, chunks: list[Any], stamps: list[float], whole: bool = False
) -> _Response:
    first = None
    for chunk, stamp in zip(chunks, stamps, strict=False):
        if isinstance(chunk, dict) and shape.has_content(chunk):
            first = stamp
            break
    return _Response(
        raw=shape.assemble(chunks) if chunks else None, first=first, whole=whole
    )


def _metrics(record: Record, response: _Response) -> dict[str, Any]:
    """Return what the record knows better than the response, and how a stream went."""
    metrics: dict[str, Any] = {}
    if record.usage is not None:
        # The response has openai's defaults filled in; the usage is to be verbatim.
        metrics["usage"] = decode(record.usage)
    if response.first is not None:
        metrics["time_to_first_token"] = _milliseconds(record.started, response.first)
    if record.status is not None and not response.whole:
        metrics["stream_status"] = record.status
    return metrics


def _milliseconds(start: float, end: float) -> float:
    return round((end - start) * 1000, 3)


def _model_parameters(record: Record) -> dict[str, Any]:
    shape = record.shape
    left_out = (*shape.inputs, "tools")
    return {
        **{
            name: _schema(value) if isinstance(value, type) else value
            for name, value in record.request.items()
            if name not in left_out
        },
        **shape.labels,
        **_input_labels(record),
    }


def _input_labels(record: Record) -> dict[str, Any]:
    """Return what the template does not tell of the input's form.

    Without it the request could not be made again as it was.
    """
    request, shape = record.request, record.shape
    given = request.get(shape.input, record.template)
    kind = "text" if isinstance(given, str) else "list" if given else "none"
    if "instructions" not in shape.inputs:
        is_odd = shape.input == "prompt" and kind == "list"
        return {"inputType": kind} if is_odd else {}
    if request.get("instructions") is None:
        return {"inputType": kind}
    return {"inputType": kind, "hasInstructions": True}


def _schema(model: type) -> Any:
    """Return what a class given as a response format asks of the model."""
    try:
        schema = model.model_json_schema()  # type: ignore[attr-defined]
    except Exception:
        return model.__name__
    return {"name": model.__name__, "schema": schema}
