"""Answers every request of openai's resource tests with a valid example.

Those tests only look at types, so one example for each endpoint will do. What else they
ask for is not there, with us and without.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

_IDENTITY = {"id": "example-1", "created": 1_700_000_000, "model": "example"}
_USAGE = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
_MESSAGE = {"role": "assistant", "content": "Hello", "refusal": None}
_END = {"index": 0, "finish_reason": "stop", "logprobs": None}
_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1_700_000_000,
    "model": "example",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "instructions": None,
    "metadata": {},
    "output": [],
    "parallel_tool_calls": True,
    "temperature": 1.0,
    "tool_choice": "auto",
    "tools": [],
    "top_p": 1.0,
}
WHOLE: dict[str, Any] = {
    "/chat/completions": {
        **_IDENTITY,
        "object": "chat.completion",
        "choices": [{**_END, "message": _MESSAGE}],
        "usage": _USAGE,
    },
    "/completions": {
        **_IDENTITY,
        "object": "text_completion",
        "choices": [{**_END, "text": "Hello"}],
        "usage": _USAGE,
    },
    "/responses": _RESPONSE,
    "/decisions": {
        "model": "example",
        "answers": [{"type": "predicate", "name": "q", "probability": 0.9}],
        "usage": {
            "input_tokens": 1,
            "output_tokens": 1,
            "total_tokens": 2,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    },
}
PIECES: dict[str, Any] = {
    "/chat/completions": {
        **_IDENTITY,
        "object": "chat.completion.chunk",
        "choices": [{**_END, "delta": _MESSAGE}],
    },
    "/completions": WHOLE["/completions"],
    "/responses": {
        "type": "response.completed",
        "sequence_number": 0,
        "response": _RESPONSE,
    },
}


class _Examples(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        path = self.path.split("?")[0].removeprefix("/v1")
        if path not in WHOLE:
            self._say(404, "application/json", b'{"error": {"message": "no example"}}')
        elif json.loads(body).get("stream"):
            piece = b"data: " + json.dumps(PIECES[path]).encode()
            self._say(200, "text/event-stream", piece + b"\n\ndata: [DONE]\n\n")
        else:
            self._say(200, "application/json", json.dumps(WHOLE[path]).encode())

    def do_GET(self) -> None:
        self._say(404, "application/json", b'{"error": {"message": "no example"}}')

    do_DELETE = do_GET  # noqa: N815 - as the base class spells it

    def _say(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is not an error here."""


@contextmanager
def examples() -> Iterator[str]:
    """Serve the examples for the length of a block, and yield the address."""
    server = _Server(("127.0.0.1", 0), _Examples)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
