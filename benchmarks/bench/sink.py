"""A loopback server that accepts telemetry of any kind.

It runs in a process of its own, so that none of its work is counted, and answers at
once or a number of milliseconds late. ``GET /_sink`` returns what it got so far.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TALLY = "/_sink"

#: What each answer says: enough for the contract's event, and for libraries that first
#: ask who is there.
_THANKS = json.dumps(
    {
        "id": "1",
        "api_name": "bench",
        "version": "1",
        "project_name": "bench",
        "project_url": "http://127.0.0.1",
        "org_info": [{"id": "1", "name": "bench"}],
    }
).encode()

#: What an exporter of OpenTelemetry reads its answer as.
_PROTOBUF = "application/x-protobuf"


class _Connection(asyncio.Protocol):
    """One keep-alive connection, one request after the other."""

    def __init__(self, counts: Counter[str], latency: float) -> None:
        self._counts = counts
        self._latency = latency
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._counts["open"] += 1
        self._counts["most open"] = max(self._counts["most open"], self._counts["open"])

    def connection_lost(self, exc: Exception | None) -> None:
        self._counts["open"] -= 1

    def data_received(self, data: bytes) -> None:
        self._received += data
        while self._take():
            pass

    def _take(self) -> bool:
        """Answer the first request, if it is complete."""
        end = self._received.find(b"\r\n\r\n")
        if end < 0:
            return False
        lines = bytes(self._received[:end]).decode("latin-1").split("\r\n")
        method, path, _ = lines[0].split(" ", 2)
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in lines[1:])
        }
        if headers.get("expect", "").lower() == "100-continue":
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        start = end + 4
        if headers.get("transfer-encoding", "").lower() == "chunked":
            after = _after_chunks(self._received, start)
        else:
            after = start + int(headers.get("content-length", 0))
        if after is None or len(self._received) < after:
            return False
        del self._received[:after]
        self._answer(method, path, headers, after - start)
        return True

    def _answer(
        self, method: str, path: str, headers: dict[str, str], size: int
    ) -> None:
        if path == TALLY:
            self._say(json.dumps(self._counts).encode(), "application/json")
            return
        if method == "POST":
            self._counts["posts"] += 1
            self._counts["bytes"] += size
            self._counts[path] += 1
        if headers.get("content-type") == _PROTOBUF:
            answer = (b"", _PROTOBUF)
        else:
            answer = (_THANKS, "application/json")
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._say, *answer)
        else:
            self._say(*answer)

    def _say(self, body: bytes, kind: str) -> None:
        self._transport.write(
            b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\nContent-Length: %d\r\n\r\n%b"
            % (kind.encode(), len(body), body)
        )


def _after_chunks(received: bytearray, start: int) -> int | None:
    """Return where a chunked body ends, or None if it is not complete."""
    while True:
        end = received.find(b"\r\n", start)
        if end < 0:
            return None
        size = int(bytes(received[start:end]).split(b";")[0], 16)
        start = end + 2 + size + 2
        if len(received) < start:
            return None
        if size == 0:
            return start


async def _serve(latency: float) -> None:
    counts: Counter[str] = Counter()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(counts, latency), "127.0.0.1", 0, backlog=1_000
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # The parent holds standard input open: when it ends, so does this process.
    await loop.run_in_executor(None, sys.stdin.read)


@contextmanager
def running_sink(latency_ms: float = 0) -> Iterator[str]:
    """Start a sink and yield its address.

    Args:
        latency_ms: How late it answers each request, in ms.
    """
    with subprocess.Popen(
        [sys.executable, "-m", "bench.sink", str(latency_ms)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parent.parent,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()


def get_counts(url: str) -> dict[str, int]:
    """Return what a sink got so far.

    That is ``posts``, ``bytes`` of their bodies, the posts by path, and how many
    connections are ``open`` and were ``most open`` at a time, this one included.
    """
    with urllib.request.urlopen(url + TALLY) as answer:
        found: dict[str, int] = json.load(answer)
        return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("latency_ms", type=float)
    asyncio.run(_serve(parser.parse_args().latency_ms / 1000))
