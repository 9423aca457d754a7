"""The least that any recorder of calls has to do: the floor of the costs.

On the caller's thread: a wrapper, a copy of the request's lists and dicts, the answer
as JSON, and one append; of a stream, one append a chunk. On another thread: one JSON
document, and one POST on a raw socket that is kept open. It survives no fault, has no
settings, and retries nothing.
"""

import json
import socket
import threading
from collections import deque
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from .library import Library, Switched

LIMIT = "(limit)"

_HEAD = (
    "POST /event HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
    "Content-Length: {{length}}\r\n\r\n"
)


class _Sender:
    """Posts what is appended, on a thread of its own."""

    def __init__(self, sink: str) -> None:
        url = urlsplit(sink)
        self._address = (url.hostname, url.port)
        self._head = _HEAD.format(host=url.netloc)
        self.records: deque[tuple[Any, Any]] = deque()
        self._socket: socket.socket | None = None
        self._work = threading.Event()
        self._idle = threading.Event()
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            self._work.wait()
            self._work.clear()
            while self.records:
                self._post(self.records.popleft())
            self._idle.set()

    def _post(self, record: tuple[Any, Any]) -> None:
        if self._socket is None:
            self._socket = socket.create_connection(self._address)
            self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        request, answer = record
        if isinstance(answer, list):
            answer = b"[" + b",".join(answer) + b"]"
        body = json.dumps([request, answer.decode()]).encode()
        head = self._head.format(length=len(body)).encode()
        self._socket.sendall(head + body)
        received = b""
        while b"\r\n\r\n" not in received:
            received += self._socket.recv(65_536)
        head_bytes, _, rest = received.partition(b"\r\n\r\n")
        length = int(head_bytes.lower().partition(b"content-length:")[2].split()[0])
        while len(rest) < length:
            rest += self._socket.recv(65_536)

    def flush(self) -> None:
        self._idle.clear()
        self._work.set()
        while not self._idle.wait(60) or self.records:
            self._work.set()


def _copy(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copy(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_copy(each) for each in value]
    return value


def _watch(
    stream: Any, request: Any, records: "deque[tuple[Any, Any]]"
) -> Iterator[Any]:
    chunks: list[Any] = []
    for chunk in stream:
        chunks.append(chunk)
        yield chunk
    records.append((request, [each.to_json().encode() for each in chunks]))


def _switch_on(sink: str, mode: str) -> Switched:
    import wrapt

    sender = _Sender(sink)

    def create(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        request = _copy(kwargs)
        answer = wrapped(*args, **kwargs)
        if "stream" in kwargs:
            return _watch(answer, request, sender.records)
        sender.records.append((request, answer.__pydantic_serializer__.to_json(answer)))
        return answer

    wrapt.wrap_function_wrapper(
        "openai.resources.chat.completions", "Completions.create", create
    )
    return Switched(sender.flush)


LIBRARY = Library(("wrapt",), _switch_on)
