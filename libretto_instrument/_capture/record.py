"""What is kept of one call until its event is made."""

from typing import Any, Literal

from .._config.settings import CallSettings
from .endpoints.table import Endpoint
from .exchange import Exchange
from .snapshot import CopyBudget

#: What a chunk takes in memory, in bytes: openai's model of a chat's chunk with a word
#: in it takes 2,600 to 2,800, by tracemalloc. To weigh each would cost the stream more
#: than it is worth; the prepared message is weighed to the byte.
_CHUNK_OVERHEAD_BYTES = 2_700


BodyKind = Literal["bytes", "events", "chunks"]


class CallRecord(CopyBudget):
    """The record of one call: written on the caller's thread, read on the worker's.

    It counts what is copied for it itself. What most calls leave as it is stands in the
    class: to set it would be paid for by every call.

    Attributes:
        endpoint: How requests and answers of the called method are laid out.
        settings: What holds for this call.
        feedback_key: What later feedback refers to.
        request: A snapshot of the arguments, by name.
        template: The template messages or text, if there is a template.
        is_from_scope: A scope declares the template, which may not be this call's.
        params: The template's parameters.
        caller: The name of what calls the model, where prompts are named by that.
        context: The caller's own keys and values.
        exchange: What is known of the request's way over HTTP.
        started: `time.perf_counter` before the request, in seconds.
        ended: The same at the end of the answer.
        response: The answer as JSON, where it came whole.
        body_kind: What ``chunks`` are: ``"bytes"`` of an object or a text, bytes of
            server-sent ``"events"``, or ``"chunks"``, which are models; None where the
            answer did not come in pieces.
        chunks: The answer's pieces as they came, where it was streamed or read raw.
        chunk_times: When each of ``chunks`` came, in seconds.
        chunks_consumed: How many chunks the caller took; None if that was not counted.
        text: The answer, where it was plain text.
        errors: What went wrong.
        stream_status: How a stream ended, if not by itself.
    """

    endpoint: Endpoint
    settings: CallSettings
    feedback_key: str
    request: dict[str, Any]
    template: Any = None
    is_from_scope: bool = False
    caller: str | None = None
    params: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    exchange: Exchange
    started: float = 0.0
    ended: float = 0.0
    response: bytes | None = None
    body_kind: BodyKind | None = None
    chunks: list[Any]
    chunk_times: list[float]
    chunks_consumed: int | None = None
    text: str | None = None
    errors: tuple[str, ...] = ()
    stream_status: str | None = None

    def start_streaming(self, kind: BodyKind) -> None:
        """Take note that the answer comes in pieces of a form."""
        self.body_kind = kind
        self.chunks = []
        self.chunk_times = []

    @property
    def ordering_key(self) -> str | None:
        """Calls of one key are delivered in order: a chain, or else a chat."""
        return self.settings.chain_id or self.settings.chat_id

    @property
    def size_bytes(self) -> int:
        """Roughly how many bytes this record holds."""
        weight = self.size
        if self.response:
            weight += len(self.response)
        if self.text:
            weight += len(self.text)
        if self.errors:
            weight += sum(map(len, self.errors))
        if self.body_kind == "chunks":
            weight += _CHUNK_OVERHEAD_BYTES * len(self.chunks)
        elif self.body_kind is not None:
            weight += sum(map(len, self.chunks))
        return weight
