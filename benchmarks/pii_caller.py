"""What redaction costs the caller of a model: nothing, as it happens on a worker.

    python benchmarks/pii_caller.py [--calls 1500]

Calls without recording, recorded in clear and recorded with redaction take turns in one
process, with an in-memory transport for OpenAI and a loopback server for Libretto.
Prints the CPU of the caller's own thread.
"""

import argparse
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import httpx2
import openai

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from support.backend import Backend

import libretto_instrument as libretto

ANSWER = {
    "id": "x",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "hello world " * 20},
        }
    ],
}
MESSAGES: Any = [
    {"role": "system", "content": "You are " + "kind " * 80},
    {"role": "user", "content": "Dear Margaret, call +1 415 555 2671. " * 12},
]
KINDS: dict[str, Any] = {
    "not recorded": {"enabled": False},
    "in clear": {"redact_pii": False},
    "redacted": {"redact_pii": True},
}


def measure(calls: int) -> dict[str, list[float]]:
    """Return the seconds of CPU that each call of each kind took, sorted."""
    transport = httpx2.MockTransport(lambda _: httpx2.Response(200, json=ANSWER))
    client = openai.OpenAI(api_key="sk", http_client=httpx2.Client(transport=transport))
    took: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(calls):
        for kind, settings in KINDS.items():
            with libretto.scope(**settings):
                started = time.thread_time()
                client.chat.completions.create(model="m", messages=MESSAGES)
                took[kind].append(time.thread_time() - started)
        if turn % 50 == 49:
            libretto.flush(30)
    return {kind: sorted(times) for kind, times in took.items()}


def main() -> None:
    """Measure, and print the added time of both kinds and its ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=1500)
    calls = parser.parse_args().calls
    with Backend() as backend:
        os.environ["LIBRETTO_API_PREFIX"] = backend.url
        libretto.install(api_key="key", prompt_template_name="name")
        took = measure(calls)
        libretto.shutdown()
    for name, share in (("10th percentile", 0.1), ("median", 0.5)):
        bare, clear, redacted = (
            times[int(len(times) * share)] * 1e6 for times in took.values()
        )
        row = {
            "call, not recorded": f"{bare:.0f} µs",
            "added in clear": f"{clear - bare:.1f} µs",
            "added with redaction": f"{redacted - bare:.1f} µs",
            "ratio": f"{(redacted - bare) / (clear - bare):.2f}",
        }
        print(name, json.dumps(row, ensure_ascii=False))


if __name__ == "__main__":
    main()
