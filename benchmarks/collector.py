"""How fast the collector takes events and shows them, in Markdown.

    python benchmarks/collector.py            100,000 events
    python benchmarks/collector.py --quick    5,000

Events are posted over a few keep-alive connections to a collector in a process of its
own; then each page is fetched some times; then collectors are killed under load, and
what they had answered with a 2xx is looked for.
"""

import argparse
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

from bench import machine

#: Milliseconds that a page may take at the median, and events a second to be taken.
_PAGE, _RATE = 50, 2_500

_CONNECTIONS = 4
_SERVE = "from libretto_instrument._collector import serve; serve(port=0, db={!r})"
PAGES = {
    "prompts": "/",
    "events": "/events",
    "events of a prompt": "/events?prompt=prompt-3",
    "a page in the middle": "/events?before={middle}",
    "errors of a chat": "/events?chat=chat-7&error=1",
    "a rare word": "/events?q=albatross",
    "a common word": "/events?q=greet",
    "a word of a prompt, last day": "/events?q=greet&prompt=prompt-3&since=24h",
    "context, one of 100": "/events?context=user_id%3D42",
    "low ratings": "/events?rating=low",
    "an event": "/events/{middle}",
    "chats": "/chats",
    "a chat": "/chats?id=chat-7",
    "chains": "/chains",
    "revisions": "/revisions?prompt=prompt-3",
    "API: events": "/api/events",
    "API: prompts": "/api/prompts",
}


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="5,000 events")
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--repeat", type=int, default=15, help="times a page is got")
    parser.add_argument("--kills", type=int, default=10)
    wanted = parser.parse_args()
    count = 5_000 if wanted.quick else wanted.events
    with tempfile.TemporaryDirectory() as folder:
        db = Path(folder) / "libretto.db"
        with running(db) as (child, port):
            before = _cpu(child.pid)
            rate = fill(port, count)
            cpu = (_cpu(child.pid) - before) / count
            size = sum(file.stat().st_size for file in db.parent.iterdir())
            pages = {
                name: measure_page(port, path.format(middle=count // 2), wanted.repeat)
                for name, path in PAGES.items()
            }
            child.send_signal(signal.SIGTERM)
            child.wait(30)
        answered, lost = _kill(Path(folder), wanted.kills)
    print(f"{machine.describe()}\n")
    taken = f"{rate:,.0f} events/s over {_CONNECTIONS} connections"
    each = f"{cpu * 1e6:.0f} µs of its CPU, {size / count / 1000:.1f} kB of disk"
    print(f"{count:,} events taken: {taken}; each {each}.")
    print(f"{wanted.kills} SIGKILLs under load: {answered:,} answered, {lost} lost.\n")
    print(f"| page | median of {wanted.repeat}, ms |\n|---|---:|")
    for name, median in pages.items():
        print(f"| {name} | {median:.0f} |")
    slow = [name for name, median in pages.items() if median > _PAGE]
    if slow or lost or rate < _RATE:
        raise SystemExit(f"over budget: {slow}, {lost} lost, {rate:.0f} events/s")


@contextmanager
def running(db: Path) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a collector; lend its process and its port."""
    command = [sys.executable, "-c", _SERVE.format(str(db))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout
        try:
            yield child, int(child.stdout.readline().split()[2].rpartition(":")[2])
        finally:
            child.kill()


def fill(port: int, count: int) -> float:
    """Post events; return how many a second were answered.

    They are written down first: what takes time then is the collector's work.
    """
    requests: list[tuple[str, bytes]] = []
    for number in range(count):
        requests.append(("/api/event", json.dumps(_event(number)).encode()))
        if number % 20 == 0:
            requests.append(("/api/feedback", json.dumps(_feedback(number)).encode()))
    waiting = iter(requests)
    lock = threading.Lock()

    def send() -> None:
        with _Wire(port) as wire:
            while True:
                with lock:
                    request = next(waiting, None)
                if request is None:
                    return
                assert wire.send("POST", *request) == 200

    threads = [threading.Thread(target=send) for _ in range(_CONNECTIONS)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.perf_counter() - start)


def _cpu(pid: int) -> float:
    """Return the seconds that a process has been at work, on Linux."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except FileNotFoundError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_page(port: int, path: str, repeat: int) -> float:
    """Return the median of what it takes to get a page, in ms."""
    times = []
    with _Wire(port) as wire:
        for _ in range(repeat):
            start = time.perf_counter()
            assert wire.send("GET", path) == 200, path
            times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)


def _kill(folder: Path, rounds: int) -> tuple[int, int]:
    """Kill collectors under load; return what was answered, and what of it is lost."""
    answered, lost = 0, 0
    for number in range(rounds):
        db = folder / f"killed-{number}.db"
        first, told = number * 10**6, []
        with running(db) as (child, port):
            threads = [
                threading.Thread(target=_send_until_dead, args=(port, start, told))
                for start in range(first, first + 4 * 10**5, 10**5)
            ]
            for thread in threads:
                thread.start()
            threads[0].join(random.uniform(0.1, 1.0))
            child.kill()
            for thread in threads:
                thread.join()
        with running(db) as (child, port), _Wire(port) as wire:
            wire.send("GET", "/events.jsonl")
            kept = {json.loads(line)["id"] for line in wire.lines()}
        answered += len(told)
        lost += len(set(told) - kept)
    return answered, lost


def _send_until_dead(port: int, number: int, told: list[str]) -> None:
    try:
        with _Wire(port) as wire:
            while wire.post("/api/event", _event(number)) == 200:
                told.append(_id(number))
                number += 1
    except OSError:
        pass


class _Wire:
    """A connection that costs little: what is measured is the other end."""

    def __init__(self, port: int) -> None:
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.file = self.sock.makefile("rb")
        self.head = f"Host: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        self.body = b""

    def __enter__(self) -> "_Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()
        self.sock.close()

    def post(self, path: str, body: dict[str, object]) -> int:
        """Post a JSON body; return the status."""
        return self.send("POST", path, json.dumps(body).encode())

    def send(self, method: str, path: str, body: bytes = b"") -> int:
        """Send a request, read all of the answer, and return its status."""
        head = f"{method} {path} HTTP/1.1\r\n{self.head}Content-Length: {len(body)}"
        self.sock.sendall(head.encode() + b"\r\n\r\n" + body)
        status = self.file.readline()
        if not status:
            raise ConnectionError
        length = None
        while (line := self.file.readline().lower().strip()) != b"":
            if line.startswith(b"content-length:"):
                length = int(line.partition(b":")[2])
        self.body = self.file.read(length) if length is not None else self._chunks()
        return int(status.split()[1])

    def lines(self) -> list[bytes]:
        """Return the lines of the last answer."""
        return self.body.splitlines()

    def _chunks(self) -> bytes:
        parts = []
        while size := int(self.file.readline(), 16):
            parts.append(self.file.read(size))
            self.file.readline()
        self.file.readline()
        return b"".join(parts)


def _id(number: int) -> str:
    return str(UUID(int=number))


def _event(number: int) -> dict[str, object]:
    chance = random.Random(number)
    failed = number % 50 == 0
    words = " ".join(chance.choices(_WORDS, k=60)) + " albatross" * (number % 9999 == 1)
    tokens = chance.randrange(20, 2000)
    return {
        "apiKey": "local",
        "apiName": f"prompt-{number % 20}",
        "promptTemplateName": f"prompt-{number % 20}",
        "promptEventId": _id(number),
        "feedbackKey": f"f{number}",
        "promptTemplateChat": [
            {"role": "system", "content": f"Be kind. Version {number // 20_000}."},
            {"role": "user", "content": "Greet {name}, who says: {words}"},
        ],
        "params": {"name": f"guest {number % 1000}", "words": words},
        "prompt": {},
        "modelParameters": {"model": "gpt-5.4-mini", "temperature": 0.2},
        "responseTime": chance.lognormvariate(6, 1),
        "context": {"user_id": number % 100, "trace_id": f"{number:032x}"},
        **({"chatId": f"chat-{number // 30 % 2000}"} if number % 3 else {}),
        **({"chainId": f"chain-{number // 6}"} if number % 6 < 3 else {}),
        **(
            {"responseErrors": ["RateLimitError: 429"]}
            if failed
            else {
                "response": f"Hello, guest {number % 1000}! {words[:200]}",
                "responseMetrics": {"usage": {"total_tokens": tokens}},
                "rawResponse": {"model": "gpt-5.4-mini-2026-03-17", "id": _id(number)},
            }
        ),
    }


def _feedback(number: int) -> dict[str, object]:
    rating = number // 20 % 5 / 4
    return {"apiKey": "local", "feedback_key": f"f{number}", "rating": rating}


_WORDS = [
    f"{head}{middle}{tail}"
    for head in ("b", "d", "f", "g", "l", "m", "n", "r", "s", "t")
    for middle in ("e", "a", "o")
    for tail in ("l", "rum", "nine", "tova", "shka")
]

if __name__ == "__main__":
    main()
