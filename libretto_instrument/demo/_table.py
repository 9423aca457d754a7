"""A table of what arrived, for a terminal."""

import shutil
from collections.abc import Sequence

from ._arrivals import Finding

_HEADS = ("Prompt", "Scenario", "Time", "Tokens", "What arrived")

#: Columns narrower than this say nothing.
_NARROWEST = 20


def table(findings: Sequence[Finding], width: int | None = None) -> str:
    """Return the table.

    Args:
        findings: What became of each event that was expected.
        width: The most characters of a line; the terminal's own when None.
    """
    width = width or shutil.get_terminal_size((100, 24)).columns
    rows = [_HEADS, *(_cells(finding) for finding in findings)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(_HEADS) - 1)]
    room = max(_NARROWEST, width - sum(widths) - 2 * len(widths) - 2)
    lines = [_line(row, widths, room) for row in rows]
    rule = "  ".join("-" * size for size in [*widths, room])
    return "\n".join([lines[0], f"  {rule}", *lines[1:]])


def _cells(finding: Finding) -> tuple[str, ...]:
    row = finding.row
    if row is None:
        return (finding.prompt, finding.scenario.name, "", "", "MISSING")
    return (
        finding.prompt,
        finding.scenario.name,
        f"{row['response_time']:.0f} ms",
        "" if row["tokens"] is None else str(row["tokens"]),
        f"INCOMPLETE: {finding.fault}" if finding.fault else _said(finding),
    )


def _said(finding: Finding) -> str:
    assert finding.row is not None
    event = finding.row["event"]
    if event.get("responseErrors"):
        return f"error: {event['responseErrors'][0]}"
    calls = [call["function"] for call in event.get("toolCalls") or ()]
    if calls:
        return ", ".join(f"{call['name']}({call['arguments']})" for call in calls)
    rating = finding.row["rating"]
    rated = "" if rating is None else f"rated {rating}: "
    return rated + str(event.get("response", ""))


def _line(cells: Sequence[str], widths: Sequence[int], room: int) -> str:
    # The figures stand to the right, under one another.
    sides = ("<", "<", ">", ">")
    fitted = [
        f"{cell:{side}{size}}"
        for cell, side, size in zip(cells[:-1], sides, widths, strict=True)
    ]
    last = " ".join(cells[-1].split())
    if len(last) > room:
        last = last[: room - 1] + "…"
    return "  " + "  ".join([*fitted, last])
