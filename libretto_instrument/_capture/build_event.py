"""Builds the event of a call from its record. Runs on the worker.

Records hold what some gateway sent: what is not JSON is recorded as text.
"""

import json
import sys
from typing import TYPE_CHECKING, Any

from attrs import frozen

from .._events import Event
from .._util.ids import new_id
from .._util.json import decode, encode, model_to_json
from . import sse
from .credentials import CredentialMask
from .endpoints.summary import ResponseSummary
from .prompt import add_candidates, name_event, read_prompt
from .server import describe_exchange, name_provider

if TYPE_CHECKING:
    from .record import CallRecord

#: How the lines of a stream of events begin.
_FIELDS_OF_EVENTS = ("data:", "event:", "id:", "retry:", ":")


@frozen(repr=False)
class _Response:
    """A response, as far as it can be parsed.

    Attributes:
        raw: The response, where it is an object.
        text: The response, where it is plain text.
        first_token_at: `time.perf_counter` when a stream's first content came.
        is_complete: The stream ended with its closing event.
    """

    raw: dict[str, Any] | None = None
    text: str | None = None
    first_token_at: float | None = None
    is_complete: bool = False


def build_event(record: "CallRecord") -> Event | None:
    """Return the event of a finished call.

    None if it may only be recorded under a template's name, and none is recognised.
    """
    response = read_response(record)
    raw, settings = response.raw, record.settings
    answer = (
        record.endpoint.parse_response(raw)
        if raw
        else ResponseSummary(text=response.text)
    )
    prompt = read_prompt(record)
    template, name = prompt.template, name_event(record, prompt)
    if name is None and not (settings.allow_unnamed_prompts or prompt.candidates):
        return None
    credentials = CredentialMask()
    tools = credentials.mask(record.request.get("tools"))
    model_parameters = credentials.mask(_model_parameters(record))
    mask = credentials.mask_repeated
    return Event(
        api_key=settings.api_key,
        project_key=settings.project_key,
        api_name=name,
        event_id=settings.event_id or new_id(),
        feedback_key=record.feedback_key,
        template_chat=template if isinstance(template, list) else None,
        template_text=template if isinstance(template, str) else None,
        params=prompt.params,
        model_parameters=model_parameters,
        response=mask(answer.text),
        response_time=_elapsed_ms(record.started, record.ended),
        tools=tools,
        tool_calls=mask(answer.tool_calls),
        raw_response=credentials.mask_response(raw),
        response_metrics={**answer.metrics, **_metrics(record, response)},
        response_errors=mask([*record.errors, *answer.errors]),
        chat_id=settings.chat_id,
        chain_id=settings.chain_id,
        context=add_candidates(record.context, prompt),
    )


def read_response(record: "CallRecord") -> _Response:
    """Return the response that a record holds, however it came."""
    if record.response is not None:
        return _parse_body(record.response)
    if record.body_kind == "chunks":
        chunks = [_chunk_to_dict(chunk) for chunk in record.chunks]
        return _merge_chunks(record, chunks, record.chunk_times)
    if record.body_kind == "events":
        return _from_stream(record, sse.parse(record.chunks))
    if record.body_kind == "bytes":
        return _read_body(record, b"".join(record.chunks))
    text = record.text or ""
    if text.startswith(("{", *_FIELDS_OF_EVENTS)):
        # The body as it came: it was asked for so, or is not called JSON.
        return _read_body(record, text.encode(errors="surrogatepass"))
    return _Response(text=record.text)


def _read_body(record: "CallRecord", body: bytes) -> _Response:
    """Return the response in a body; some gateways send events without being asked."""
    if body.startswith(tuple(map(str.encode, _FIELDS_OF_EVENTS))):
        events = sse.parse([body])
        if events.data:
            times = [record.ended] * len(events.data)
            return _merge_chunks(record, events.data, times, events.is_complete)
    return _parse_body(body)


def _from_stream(record: "CallRecord", events: sse.ParsedEvents) -> _Response:
    """Return the response that the events of a body amount to.

    Where chunks were counted, only those count that the caller was handed: how many
    more came with the last of them is chance.
    """
    if not events.data:
        # Asked for a stream, some gateways answer with an object.
        raw = _parse_body(b"".join(record.chunks)).raw
        return _Response(raw=raw, is_complete=raw is not None or events.is_complete)
    times = [record.chunk_times[at] for at in events.chunk_indexes]
    if record.chunks_consumed is None:
        return _merge_chunks(record, events.data, times, events.is_complete)
    return _merge_chunks(record, events.data[: record.chunks_consumed], times)


def read_events(record: "CallRecord") -> list[tuple[dict[str, Any], float]]:
    """Return the events of a streamed answer that the caller took, with their times."""
    if record.body_kind == "chunks":
        data = [_chunk_to_dict(chunk) for chunk in record.chunks]
        times = record.chunk_times
    else:
        events = sse.parse(record.chunks)
        data = events.data[: record.chunks_consumed]
        times = [record.chunk_times[at] for at in events.chunk_indexes]
    timed = zip(data, times, strict=False)
    return [(event, time) for event, time in timed if isinstance(event, dict)]


def _chunk_to_dict(chunk: Any) -> Any:
    """Return a chunk, a pydantic model, as the API gave it."""
    is_model = hasattr(chunk, "model_dump")
    return decode(model_to_json(chunk) if is_model else encode(chunk))


def _parse_body(data: bytes) -> _Response:
    if not data:
        return _Response()
    try:
        value = decode(data)
    except ValueError:
        return _Response(text=data.decode(errors="replace"))
    if isinstance(value, dict):
        return _Response(raw=value)
    return _Response(text=value if isinstance(value, str) else json.dumps(value))


def _merge_chunks(
    record: "CallRecord",
    chunks: list[Any],
    chunk_times: list[float],
    is_complete: bool = False,
) -> _Response:
    endpoint = record.endpoint
    timed = zip(chunks, chunk_times, strict=False)
    return _Response(
        raw=endpoint.merge_chunks(chunks, record.request) if chunks else None,
        first_token_at=next(
            (
                time
                for chunk, time in timed
                if isinstance(chunk, dict) and endpoint.has_content(chunk)
            ),
            None,
        ),
        is_complete=is_complete,
    )


def _metrics(record: "CallRecord", response: _Response) -> dict[str, Any]:
    """Return how the request and its stream went."""
    metrics = describe_exchange(record.exchange)
    if response.first_token_at is not None:
        metrics["time_to_first_token"] = _elapsed_ms(
            record.started, response.first_token_at
        )
    if record.stream_status is not None and not response.is_complete:
        metrics["stream_status"] = record.stream_status
    return metrics


def _elapsed_ms(start: float, end: float) -> float:
    return round((end - start) * 1000, 3)


def _model_parameters(record: "CallRecord") -> dict[str, Any]:
    endpoint = record.endpoint
    left_out = (*endpoint.input_fields, "tools")
    return {
        **{
            name: _schema(value) if isinstance(value, type) else value
            for name, value in record.request.items()
            if name not in left_out
        },
        **endpoint.labels,
        "modelProvider": record.settings.model_provider
        or name_provider(record.exchange.base_url),
        **_input_labels(record),
    }


def _input_labels(record: "CallRecord") -> dict[str, Any]:
    """Return the form of the input, which the template does not say.

    Without it the request could not be repeated.
    """
    request, endpoint = record.request, record.endpoint
    value = request.get(endpoint.input, record.template)
    kind = "text" if isinstance(value, str) else "list" if value else "none"
    if "instructions" not in endpoint.input_fields:
        is_odd = endpoint.input == "prompt" and kind == "list"
        return {"inputType": kind} if is_odd else {}
    if request.get("instructions") is None:
        return {"inputType": kind}
    return {"inputType": kind, "hasInstructions": True}


def _schema(model: type) -> Any:
    """Return what a class given as a response format asks of the model.

    It may be a model of either pydantic, a pydantic dataclass, or anything else that
    pydantic has a schema for.
    """
    try:
        if hasattr(model, "model_json_schema"):
            schema = model.model_json_schema()
        elif hasattr(model, "schema"):
            schema = model.schema()
        else:
            # openai has imported pydantic.
            schema = sys.modules["pydantic"].TypeAdapter(model).json_schema()
    except Exception:
        return model.__name__
    return {"name": model.__name__, "schema": schema}
