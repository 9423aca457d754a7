"""Differences of two texts, in words or lines."""

import re

from rapidfuzz.distance import Indel

#: Characters of two texts that are compared; longer ones are shown as they are.
MAX_DIFF_CHARS = 200_000
#: Words that are compared; of longer texts, lines are. The work grows with the square.
MAX_DIFF_WORDS, MAX_DIFF_LINES = 3_000, 10_000

_WORD = re.compile(r"\s+|\w+|[^\w\s]")


def word_diff(old: str, new: str) -> list[tuple[str, str]]:
    """Return the way from ``old`` to ``new``: pairs of same/del/ins and text."""
    if len(old) + len(new) > MAX_DIFF_CHARS:
        return [("del", old[:MAX_DIFF_CHARS]), ("ins", new[:MAX_DIFF_CHARS])]
    a, b = _WORD.findall(old), _WORD.findall(new)
    if max(len(a), len(b)) > MAX_DIFF_WORDS:
        a, b = old.splitlines(keepends=True), new.splitlines(keepends=True)
    if max(len(a), len(b)) > MAX_DIFF_LINES:
        a, b = [old], [new]
    changes: list[tuple[str, str]] = []
    gone = come = ""
    for edit in Indel.opcodes(a, b):
        text = "".join(a[edit.src_start : edit.src_end])
        # A space between two changed words belongs to the change.
        if edit.tag != "equal" or (text.isspace() and (gone or come)):
            gone += text
            come += "".join(b[edit.dest_start : edit.dest_end])
            continue
        changes += [("del", gone), ("ins", come), ("same", text)]
        gone = come = ""
    changes += [("del", gone), ("ins", come)]
    return [change for change in changes if change[1]]
