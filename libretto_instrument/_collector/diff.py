"""Differences of two texts, in words or lines."""

import re
from itertools import groupby

#: Characters of two texts that are compared; longer ones are shown as they are.
MAX_DIFF_CHARS = 200_000
#: Words that are compared; of longer texts, lines are.
MAX_DIFF_WORDS = 3_000
#: Words or lines that differ. The work grows with the square of it.
MAX_CHANGES = 600

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def word_diff(old: str, new: str) -> list[tuple[str, str]]:
    """Return the way from ``old`` to ``new``: pairs of same/del/ins and text."""
    if len(old) + len(new) > MAX_DIFF_CHARS:
        return [("del", old[:MAX_DIFF_CHARS]), ("ins", new[:MAX_DIFF_CHARS])]
    a, b = _WORD.findall(old), _WORD.findall(new)
    if max(len(a), len(b)) > MAX_DIFF_WORDS:
        a, b = old.splitlines(keepends=True), new.splitlines(keepends=True)
    changes: list[tuple[str, str]] = []
    gone = come = ""
    for kind, run in groupby(_diff(a, b), lambda edit: edit[0]):
        text = "".join(piece for _, piece in run)
        # A space between two changed words belongs to the change.
        if kind != "same" or (text.isspace() and (gone or come)):
            gone += text if kind != "ins" else ""
            come += text if kind != "del" else ""
            continue
        changes += [("del", gone), ("ins", come), ("same", text)]
        gone = come = ""
    changes += [("del", gone), ("ins", come)]
    return [change for change in changes if change[1]]


def _diff(a: list[str], b: list[str]) -> list[tuple[str, str]]:
    """Return the shortest edit script, by Myers's algorithm.

    "An O(ND) Difference Algorithm and Its Variations", 1986: for each number of changes
    ``d``, the furthest place that they reach on each diagonal.
    """
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    end = 0
    while end < min(len(a), len(b)) - start and a[-1 - end] == b[-1 - end]:
        end += 1
    head = [("same", text) for text in a[:start]]
    tail = [("same", text) for text in a[len(a) - end :]]
    return head + _edits(a[start : len(a) - end], b[start : len(b) - end]) + tail


def _edits(a: list[str], b: list[str]) -> list[tuple[str, str]]:
    reached, history = {1: 0}, []
    for d in range(min(len(a) + len(b), MAX_CHANGES) + 1):
        history.append(dict(reached))
        for k in range(-d, d + 1, 2):
            is_insertion = k == -d or (k != d and reached[k - 1] < reached[k + 1])
            x = reached[k + 1] if is_insertion else reached[k - 1] + 1
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            reached[k] = x
            if x >= len(a) and x - k >= len(b):
                return _trace(a, b, history)
    return [("del", "".join(a)), ("ins", "".join(b))]


def _trace(
    a: list[str], b: list[str], history: list[dict[int, int]]
) -> list[tuple[str, str]]:
    edits, x, y = [], len(a), len(b)
    for d in range(len(history) - 1, -1, -1):
        reached, k = history[d], x - y
        is_insertion = k == -d or (k != d and reached[k - 1] < reached[k + 1])
        last_k = k + 1 if is_insertion else k - 1
        last_x = reached[last_k]
        last_y = last_x - last_k
        while x > max(last_x, 0) and y > max(last_y, 0) and a[x - 1] == b[y - 1]:
            x, y = x - 1, y - 1
            edits.append(("same", a[x]))
        if d:
            edits.append(("ins", b[last_y]) if is_insertion else ("del", a[last_x]))
        x, y = last_x, last_y
    return edits[::-1]
