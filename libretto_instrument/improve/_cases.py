"""Cases: found among recorded calls, read from files, written to them."""

import csv
import io
import json
import os
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from operator import itemgetter
from pathlib import Path
from typing import Any

from ._case import MIN_RATING, Case, case_from_event, case_from_json
from ._sources import Recorded, is_database, is_url, rated_calls


def cases(
    source: "str | os.PathLike[str]",
    *,
    prompt: str | None = None,
    since: float = 0.0,
    min_rating: float = MIN_RATING,
    limit: int | None = None,
) -> list[Case]:
    """Return the recorded calls that have a target: a correction, or a good rating.

    Calls that a replay made are left out. The order is that of the prompts' names and
    the ids, so that the same cases always make the same file.

    Args:
        source: The database of a local Libretto (``libretto.db``) or its address, a
            log of `JsonLinesExporter`, or a file of cases.
        prompt: Only cases of this prompt.
        since: Only calls made since, in seconds since the epoch. A file of cases does
            not say when they were made.
        min_rating: The least rating, from 0 to 1, that makes the recorded answer of a
            call the target.
        limit: At most this many, the newest.

    Raises:
        OSError: The source can't be read.
        ValueError: It is none of these; of a file of cases, the message names the line.
    """
    location = os.fspath(source)
    if _holds_cases(location):
        read: Iterator[tuple[float, Case | None]] = enumerate(read_cases(location))
    else:
        calls = rated_calls(location, prompt=prompt, since=since)
        read = ((c.at, _read(c, min_rating)) for c in calls if c.replay is None)
    # An event that was sent again stands twice in a log.
    unique = {case.id: (at, case) for at, case in read if case is not None}
    found = list(unique.values())
    if prompt is not None:
        found = [each for each in found if each[1].prompt == prompt]
    if limit is not None:
        found = sorted(found, key=itemgetter(0), reverse=True)[:limit]
    return sorted((case for _, case in found), key=lambda c: (c.prompt or "", c.id))


def _read(call: Recorded, min_rating: float) -> Case | None:
    try:
        return case_from_event(
            call.event,
            rating=call.rating,
            better_response=call.better_response,
            min_rating=min_rating,
        )
    except (TypeError, ValueError, AttributeError, KeyError, RecursionError):
        name = str(call.event.get("promptEventId"))[:100]
        warnings.warn(f"The event {name} can't be read; left out.", stacklevel=3)
        return None


def _holds_cases(location: str) -> bool:
    """Say whether a source is a file of cases, by its first line that is JSON."""
    if is_url(location) or is_database(Path(location)):
        return False
    with Path(location).open("rb") as file:
        for line in file:
            # Of a log, the first line may be a part of one.
            with suppress(ValueError, RecursionError):
                first = json.loads(line)
                return not (isinstance(first, dict) and "kind" in first)
    return True  # If there is one, `read_cases` says what is wrong with it.


def read_cases(path: "str | os.PathLike[str]") -> Iterator[Case]:
    """Yield the cases of a file, one JSON object a line.

    Args:
        path: A file that ``libretto-instrument cases`` wrote.

    Raises:
        OSError: The file can't be read.
        ValueError: A line is not a case, or two have one id. The message names it.
    """
    seen: set[str] = set()
    with Path(path).open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                case = case_from_json(line)
                if case.id in seen:
                    raise ValueError(f"the id {case.id!r} stands in the file twice")
            except (ValueError, RecursionError) as exc:
                raise ValueError(f"{path}, line {number}: {exc}.") from exc
            seen.add(case.id)
            yield case


#: What `format_cases` writes.
FORMS = ("jsonl", "csv", "promptfoo")


def format_cases(found: Sequence[Case], form: str) -> Iterator[str]:
    """Yield the lines of a file of cases.

    Args:
        found: The cases.
        form: ``"jsonl"``, ``"csv"`` as Libretto's upload takes it (a column for each
            parameter, and ``targetOutput``), or ``"promptfoo"``, a list of its tests.
    """
    if form == "jsonl":
        yield from (f"{case.to_json()}\n" for case in found)
    elif form == "csv":
        yield _csv(found)
    elif form == "promptfoo":
        lines = [json.dumps(_promptfoo(case), ensure_ascii=False) for case in found]
        yield "[\n" + ",\n".join(lines) + "\n]\n"
    else:
        raise ValueError(f"unknown format {form!r}: must be one of {', '.join(FORMS)}")


def _csv(found: Sequence[Case]) -> str:
    names = sorted({name for case in found for name in case.params})
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*names, "targetOutput"])
    for case in found:
        cells = [_cell(case.params.get(name)) for name in names]
        writer.writerow([*cells, case.target])
    return text.getvalue()


def _cell(value: Any) -> str:
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False)


def _promptfoo(case: Case) -> dict[str, Any]:
    # Each item of a list would be a test of its own.
    has_list = any(isinstance(value, list) for value in case.params.values())
    return {
        "description": case.__name__,
        "vars": case.params,
        **({"options": {"disableVarExpansion": True}} if has_list else {}),
        "assert": [{"type": "equals", "value": case.target}],
        "metadata": {"id": case.id, "prompt": case.prompt},
    }


def describe_cases(found: Sequence[Case]) -> list[str]:
    """Return what to tell of cases: how many there are, and which are no use."""
    corrected = sum(case.target_source == "better_response" for case in found)
    parts = f"{corrected} corrected, {len(found) - corrected} rated"
    lines = [f"{len(found)} case{'' if len(found) == 1 else 's'} ({parts})"]
    obstacles = Counter(case.obstacle for case in found if case.obstacle)
    lines += [
        f"{count} can't be replayed: {why}" for why, count in obstacles.most_common()
    ]
    if found and not any(case.is_redacted for case in found):
        lines.append(
            "warning: nothing in them was redacted. They hold what your users wrote: "
            "think of who reads the file (and see redact_pii)."
        )
    return lines
