"""The pages of the documentation, and the code blocks in them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from attrs import frozen

ROOT = Path(__file__).parents[2]

#: The model that README, the pages and the examples call.
MODEL = "gpt-5.4-mini"

#: Runs the Python blocks of a page, and fails if one does.
RunPage = Callable[[Path], None]

_FENCE = re.compile(r"(?P<indent> *)(?P<fence>`{3,}|~{3,})(?P<info>[^`]*)")
_LANGUAGE = re.compile(r"[\s{.]*([\w+-]*)")
_MARK = re.compile(r"\s*<!--\s*(?P<mark>not run|new program)\b:?(?P<why>.*)-->\s*")

#: Other spellings of a language.
_ALIASES = {"py": "python", "python3": "python", "yml": "yaml"}
_ALIASES |= dict.fromkeys(("bash", "sh", "shell"), "console")


@frozen
class Block:
    """One fenced block.

    Attributes:
        page: The file.
        line: Where its text begins, from 1.
        language: What the fence says that it is, ``""`` if nothing.
        text: Its lines, without the indentation of the fence.
        mark: ``"not run"``, ``"new program"`` or ``""``.
        why: What the mark says behind its colon.
    """

    page: Path
    line: int
    language: str
    text: str
    mark: str = ""
    why: str = ""

    @property
    def place(self) -> str:
        """Where it is, as editors take it."""
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Return every page that users read."""
    found = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    found += (ROOT / "examples").rglob("*.md")
    return sorted(path for path in found if path.exists())


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the fenced blocks of a page, also those inside lists and tabs."""
    lines = page.read_text("utf-8").splitlines()
    at = 0
    while at < len(lines):
        opening = _FENCE.fullmatch(lines[at])
        at += 1
        if opening is None:
            continue
        first, indent = at, len(opening["indent"])
        closing = re.compile(rf" *{opening['fence'][0]}{{{len(opening['fence'])},}} *")
        while at < len(lines) and not closing.fullmatch(lines[at]):
            at += 1
        mark, why = _mark_above(lines, first - 2)
        named = _LANGUAGE.match(opening["info"])
        language = named[1].lower() if named else ""
        yield Block(
            page,
            first + 1,
            _ALIASES.get(language, language),
            "".join(f"{_dedented(line, indent)}\n" for line in lines[first:at]),
            mark,
            why,
        )
        at += 1


def _dedented(line: str, indent: int) -> str:
    return line[indent:] if not line[:indent].strip() else line.lstrip()


def _mark_above(lines: list[str], at: int) -> tuple[str, str]:
    """Return the mark in the last line before a fence, and its reason."""
    while at >= 0 and not lines[at].strip():
        at -= 1
    found = _MARK.fullmatch(lines[at]) if at >= 0 else None
    return (found["mark"], found["why"].strip()) if found else ("", "")
