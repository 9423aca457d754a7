"""The record of one call, from which its event is built."""

from typing import Any, Literal, Protocol

from .._config.config import LibrettoConfig
from .._config.fields import Overrides
from .._config.settings import CallSettings
from .endpoints.table import Endpoint
from .exchange import Exchange

#: Memory that openai's model of a chat chunk with one word takes, in bytes (2,600 to
#: 2,800 by tracemalloc). Measuring each chunk would slow the stream down.
_CHUNK_BYTES = 2_700

BodyKind = Literal["bytes", "events", "chunks"]


class CallRecord:
    """What is known of one call: written on the caller's thread, read on the worker's.

    Defaults are class attributes, so that a call sets only what differs.

    Attributes:
        endpoint: The endpoint that was called.
        settings: What holds for this call.
        feedback_key: What later feedback refers to.
        request: A snapshot of the arguments, by name.
        template: The template messages or text, if there is a template.
        is_from_scope: A scope declares the template, which may not be this call's.
        params: The template's parameters.
        caller: The name of what calls the model, where prompts are named by that.
        context: The caller's own keys and values.
        exchange: What is known of the request's way over HTTP.
        copied_bytes: Roughly the size of the copied arguments.
        started: `time.perf_counter` before the request, in seconds.
        ended: The same at the end of the answer.
        response: The answer as JSON, unless it was streamed or read raw.
        body_kind: What ``chunks`` are: ``"bytes"`` of an object or a text, bytes of
            server-sent ``"events"``, or ``"chunks"``, which are models; None if the
            answer was neither streamed nor read raw.
        chunks: The chunks of a streamed answer, or of one that is read raw.
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
    copied_bytes: int = 0
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

    def __init__(
        self,
        endpoint: Endpoint,
        settings: CallSettings,
        feedback_key: str,
        client: Any = None,
    ) -> None:
        self.endpoint = endpoint
        self.settings = settings
        self.feedback_key = feedback_key
        self.exchange = Exchange(client)
        self.request = {}

    def start_streaming(self, kind: BodyKind) -> None:
        """Prepare for an answer that comes in chunks."""
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
        size = self.copied_bytes + len(self.response or b"") + len(self.text or "")
        size += sum(map(len, self.errors))
        if self.body_kind == "chunks":
            size += _CHUNK_BYTES * len(self.chunks)
        elif self.body_kind is not None:
            size += sum(map(len, self.chunks))
        return size


class Recorder(Protocol):
    """What capture needs of the rest: who is recorded, and where records go."""

    def settings(
        self, config: LibrettoConfig | None, overrides: Overrides | None
    ) -> CallSettings | None:
        """Return the settings for a call, or None if it is not to be recorded."""

    def submit(self, record: CallRecord) -> None:
        """Take the record of a finished call. Never blocks, never raises."""
