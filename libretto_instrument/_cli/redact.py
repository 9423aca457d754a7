"""``libretto-instrument redact``: shows what would be redacted."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TextIO

from ..redaction import Entity, default_redactor

_HIGHLIGHT = "\x1b[1;37;41m"
_PLAIN = "\x1b[0m"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add("file", nargs="?", default="-", help="the text; - is standard input")


def run(args: argparse.Namespace) -> int:
    """Show a file's text as `redact_command` does, in colour on a terminal.

    Raises:
        ValueError: It cannot be read; the message says what to name instead.
    """
    name, colour = args.file, sys.stdout.isatty()
    try:
        if name == "-":
            return redact_command(sys.stdin, sys.stdout, colour)
        with open(name, encoding="utf-8") as text:
            return redact_command(text, sys.stdout, colour)
    except UnicodeDecodeError as exc:
        raise ValueError(
            f"{name} is not UTF-8 text ({exc}). Convert it first, as iconv does."
        ) from exc
    except (FileNotFoundError, IsADirectoryError, PermissionError) as exc:
        raise ValueError(
            f"cannot read {name} ({exc.strerror}). Name a file of text, or - for what "
            "comes by a pipe."
        ) from exc


def redact_command(stream_in: TextIO, stream_out: TextIO, colour: bool) -> int:
    """Show a text with its personal data marked, and return 0.

    With colour each entity is highlighted and named, and counted below; without, the
    text comes out redacted, for a pipe.

    Raises:
        ImportError: The extra ``pii`` is needed and not installed.
    """
    redactor = default_redactor()
    text = stream_in.read()
    entities = redactor.analyze(text)
    if not colour:
        stream_out.write(redactor.redact(text))
        return 0
    position = 0
    for entity in entities:
        stream_out.write(text[position : entity.start])
        stream_out.write(_highlight(text, entity))
        position = entity.end
    stream_out.write(text[position:])
    if not text.endswith("\n"):
        stream_out.write("\n")
    stream_out.write(f"\n{_summary(entities)}\n")
    return 0


def _highlight(text: str, entity: Entity) -> str:
    """Highlight an entity line by line: pagers drop a colour at the end of a line."""
    lines = text[entity.start : entity.end].split("\n")
    shown = "\n".join(f"{_HIGHLIGHT}{line}{_PLAIN}" for line in lines)
    return f"{shown}<{entity.type}>"


def _summary(entities: Sequence[Entity]) -> str:
    counts = Counter(entity.type for entity in entities)
    found = ", ".join(f"{count} {entity}" for entity, count in counts.most_common())
    return f"Found: {found}." if found else "Nothing found."
