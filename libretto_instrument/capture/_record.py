"""What is kept of one call until its event is made."""

from typing import Any

from attrs import define, field

from .._settings import Settings
from .._templates import TemplateText
from ._shapes import Shape

#: What a chunk takes in memory, in bytes: openai's model of a chat's chunk with a word
#: in it takes 2,600 to 2,800, by tracemalloc. To weigh each would cost the stream more
#: than it is worth; the prepared message is weighed to the byte.
_CHUNK_WEIGHT = 2_700


@define(eq=False, repr=False)
class Record:
    """The record of one call: written on the caller's thread, read on the worker's.

    Attributes:
        shape: How requests and answers of the called method are laid out.
        settings: What holds for this call.
        feedback_key: What later feedback refers to.
        request: A snapshot of the arguments, by name.
        template: The template messages or text, if there is a template.
        params: The template's parameters.
        context: The caller's own keys and values.
        started: `time.perf_counter` before the request, in seconds.
        ended: The same at the end of the answer.
        response: The answer as JSON, where it came whole.
        usage: The answer's usage as the API gave it, as JSON, where it came whole.
        chunks: The answer's chunks, where it was streamed: models, as they came.
        body: The answer's bytes, where the caller reads it raw.
        stamps: When each of ``chunks`` or ``body`` came, in seconds.
        text: The answer, where it was plain text.
        is_sse: Whether ``body`` is a stream of server-sent events.
        errors: What went wrong.
        status: How a stream ended, if not by itself.
    """

    shape: Shape
    settings: Settings
    feedback_key: str
    request: dict[str, Any] = field(factory=dict)
    template: Any = None
    params: dict[str, Any] = field(factory=dict)
    context: dict[str, Any] | None = None
    started: float = 0.0
    ended: float = 0.0
    response: bytes | None = None
    usage: bytes | None = None
    chunks: list[Any] | None = None
    body: list[bytes] | None = None
    stamps: list[float] = field(factory=list)
    text: str | None = None
    is_sse: bool = False
    errors: list[str] = field(factory=list)
    status: str | None = None

    @property
    def weight(self) -> int:
        """Roughly how many bytes this record holds."""
        weight = len(self.response or b"") + len(self.usage or b"")
        weight += _weigh(self.request)
        if self.template is not None:
            weight += _weigh(self.template)
        if self.params:
            weight += _weigh(self.params)
        if self.context:
            weight += _weigh(self.context)
        if self.text:
            weight += len(self.text)
        if self.errors:
            weight += sum(map(len, self.errors))
        if self.chunks:
            weight += _CHUNK_WEIGHT * len(self.chunks)
        if self.body:
            weight += sum(map(len, self.body))
        return weight


def _weigh(value: str | dict[str, Any] | list[Any]) -> int:
    if isinstance(value, str):
        return len(value)
    weight = 50
    for item in value.values() if isinstance(value, dict) else value:
        kind = type(item)
        if kind is str:
            weight += len(item)
        elif kind is TemplateText:
            weight += len(item) + len(item.template) + _weigh(item.params)
        elif kind is dict or kind is list:
            weight += _weigh(item)
        else:
            weight += 8
    return weight
