"""A table of the stored events, for a terminal."""

import shutil
from collections.abc import Sequence

from ._stored_events import CheckResult

_HEADERS = ("Prompt", "Scenario", "Time", "Tokens", "What arrived")
_ALIGNMENT = "<<>>"
#: The least characters of the last column.
_MIN_WIDTH = 20


def format_table(results: Sequence[CheckResult], width: int | None = None) -> str:
    """Return a table whose lines have at most ``width`` characters.

    Args:
        results: One a row.
        width: The terminal's own by default.
    """
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
