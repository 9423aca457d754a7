"""Recorded exchanges with real APIs, replayed over loopback, where they are at hand.

They are no part of this repository: `LIBRETTO_CORPUS` names their folder, or it lies
beside the checkout as ``shared/corpus``. It holds ``*.jsonl`` or ``*.jsonl.gz`` files,
one exchange a line, and the ``replay_server.py`` that serves them.
"""

import gzip
import importlib.util
import inspect
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Record = dict[str, Any]

FOLDER = Path(
    os.environ.get("LIBRETTO_CORPUS")
    or Path(__file__).resolve().parents[2].parent / "shared" / "corpus"
)
IS_THERE = (FOLDER / "replay_server.py").is_file()
ABSENT = f"no recorded exchanges in {FOLDER}: LIBRETTO_CORPUS names their folder"


def records() -> Iterator[Record]:
    """Yield every recorded exchange."""
    for path in _files():
        opened = gzip.open if path.suffix == ".gz" else open
        with opened(path, "rt", encoding="utf-8") as lines:
            yield from map(json.loads, lines)


def serve() -> Any:
    """Start the replay server in this process, and return it."""
    spec = importlib.util.spec_from_file_location(
        "replay_server", FOLDER / "replay_server.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.serve([str(path) for path in _files()])


def arguments(record: Record, create: Any) -> dict[str, Any]:
    """Return the arguments of the ``create()`` that sends a recorded body.

    What it has no argument for goes into ``extra_body``. The header tells the server
    which exchange to replay.
    """
    known = inspect.signature(create).parameters
    body = record["request_body"]
    given = {name: value for name, value in body.items() if name in known}
    extra = {name: value for name, value in body.items() if name not in known}
    if "model" not in given:
        deployment = re.search(r"/deployments/([^/?]+)", record["uri"])
        given["model"] = deployment[1] if deployment else "unsaid"
    if record["endpoint"] == "completions":
        given.setdefault("prompt", "")
    if extra:
        given["extra_body"] = extra
    return {**given, "extra_headers": {"x-replay-id": record["id"]}}


def is_azure(record: Record) -> bool:
    """Say whether an exchange was one of Azure's."""
    return "/deployments/" in record["uri"]


def _files() -> list[Path]:
    return sorted([*FOLDER.glob("*.jsonl"), *FOLDER.glob("*.jsonl.gz")])
