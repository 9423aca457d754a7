"""Compares what Libretto stored of the demonstration with what should be there."""

import shutil
from collections.abc import Iterable, Sequence
from typing import Any

from attrs import frozen

from ..improve._sources import fetch
from ._scenarios import Expected, Scenario

Row = dict[str, Any]

#: More events than one run makes.
_LIMIT = 200
_HEADERS = ("Prompt", "Scenario", "Time", "Tokens", "What arrived")
_ALIGNMENT = "<<>>"
#: Minimum width of the last column, in characters.
_MIN_WIDTH = 20


@frozen
class CheckResult:
    """One expected event: the row that was found, and what is missing, if anything."""

    scenario: str
    prompt: str
    row: Row | None
    problem: str


def check_stored(
    url: str, run_id: str, scenarios: Iterable[Scenario]
) -> list[CheckResult]:
    """Return what became of each event that a run's scenarios should have left.

    Raises:
        OSError: Libretto did not answer.
    """
    query = f"context=demo_run={run_id}&limit={_LIMIT}"
    events = fetch(url, f"/api/events?{query}")["events"]
    chains = fetch(url, f"/api/chains?limit={_LIMIT}")["chains"]
    finished = {row["id"] for row in chains if row["result"]}
    return check(scenarios, reversed(events), finished)


def check(
    scenarios: Iterable[Scenario], events: Iterable[Row], chains: set[str]
) -> list[CheckResult]:
    """Return what became of each expected event.

    ``events`` are those found, oldest first; ``chains`` the ids that have a result.
    """
    unmatched, results = list(events), []
    for scenario in scenarios:
        matches = [(each, _pop_match(each, unmatched)) for each in scenario.expected]
        found = {row["chain_id"] for _, row in matches if row}
        is_one_chain = len(found) == 1 and found <= chains
        for expected, row in matches:
            problem = "it did not arrive"
            if row is not None:
                missing = _missing_keys(expected, row)
                if scenario.expects_rating and row["rating"] is None:
                    missing.append("feedback")
                if scenario.expects_chain and not is_one_chain:
                    missing.append("the chain's result")
                problem = f"without {', '.join(missing)}" if missing else ""
            results.append(CheckResult(scenario.name, expected.prompt, row, problem))
    return results


def _pop_match(expected: Expected, unmatched: list[Row]) -> Row | None:
    rows = [row for row in unmatched if row["prompt"] == expected.prompt]
    best = min(rows, key=lambda row: len(_missing_keys(expected, row)), default=None)
    if best is not None:
        unmatched.remove(best)
    return best


def _missing_keys(expected: Expected, row: Row) -> list[str]:
    return [key for key in expected.required_keys if not row["event"].get(key)]


def format_table(results: Sequence[CheckResult], width: int | None = None) -> str:
    """Return a table with a row for each result, as wide as the terminal."""
    width = width or shutil.get_terminal_size((100, 24)).columns
    rows = [_HEADERS, *map(_cells, results)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    widths.append(max(_MIN_WIDTH, width - sum(widths) - 2 * len(widths) - 2))
    lines = [_line(row, widths) for row in rows]
    rule = "  ".join("-" * each for each in widths)
    return "\n".join([lines[0], f"  {rule}", *lines[1:]])


def _cells(result: CheckResult) -> tuple[str, ...]:
    row = result.row
    if row is None:
        return result.prompt, result.scenario, "", "", "MISSING"
    event = row["event"]
    message = "" if row["rating"] is None else f"rated {row['rating']}: "
    message += str(event.get("response") or "")
    if event.get("responseErrors"):
        message = f"error: {event['responseErrors'][0]}"
    elif event.get("toolCalls"):
        calls = [call["function"] for call in event["toolCalls"]]
        message = ", ".join(f"{call['name']}({call['arguments']})" for call in calls)
    return (
        result.prompt,
        result.scenario,
        f"{row['response_time']:.0f} ms",
        "" if row["tokens"] is None else str(row["tokens"]),
        f"INCOMPLETE: {result.problem}" if result.problem else message,
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    fitted = [
        f"{cell:{side}{width}}"
        for cell, side, width in zip(cells[:-1], _ALIGNMENT, widths[:-1], strict=True)
    ]
    last = " ".join(cells[-1].split())
    if len(last) > widths[-1]:
        last = last[: widths[-1] - 1] + "…"
    return "  " + "  ".join([*fitted, last])
