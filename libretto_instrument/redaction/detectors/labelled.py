"""Values that a text labels: in XML, assignments, lines and tables."""

import re
from collections.abc import Iterator
from itertools import chain

from .._entities import Entity, Span
from .._hints import entity_from_key

#: ``<ssn>4399</ssn>``, ``Customer(surname='Quindle')``, ``{"ssn": "4399"}``.
_ELEMENT = re.compile(
    r"(?<![\w.-])(?P<key>[A-Za-z][\w.-]{1,40})"
    r"(?:>\s{0,16}(?P<text>[^<>\s][^<>]{0,199}?)\s{0,16}</(?:\w{1,20}:)?(?P=key)>"
    r"|[\"'`]?\s{0,4}(?::|=>?)\s{0,4}(?P<quote>[\"'`])(?P<quoted>[^\"'`\n]{1,200})"
    r"(?P=quote))"
)
#: ``PIN: 1234`` on a line of its own.
_LINE = re.compile(
    r"^[ \t>*-]{0,16}(?P<key>[A-Za-z][\w .-]{0,40}?)[*_]{0,2}[ \t]{0,8}[:=]"
    r"[ \t*_]{0,16}[\"']?(?P<value>[\dXx*•][\dXx*•. \t-]{2,32}?)[\"']?[ \t]{0,16}$",
    re.MULTILINE,
)
#: ``ssn=4399&pin=1234``, and a part of a form that a browser sent.
_FORM_FIELD = re.compile(
    r"(?:(?P<before>[?&])|(?<![\w.-]))(?P<key>[A-Za-z][\w.-]{1,40})"
    r"=(?P<value>[^&=\s;,\"'<>]{1,200})(?(before)|(?=&))"
    r"|\bname=\"(?P<part>[\w.-]{1,40})\"\r?\n\r?\n(?P<content>[^\r\n]{1,200})"
)
_LINE_ENTITIES = ("US_SSN", "CREDIT_CARD", "SECRET")
#: A list in YAML: its key, and the items on the lines below.
_LIST = re.compile(
    r"^[ \t]{0,32}(?:-[ \t]{1,8})?(?P<key>[A-Za-z][\w .-]{0,40}):[ \t]{0,8}\r?\n"
    r"(?P<items>(?:[ \t]{0,32}-[ \t]{1,8}[^\n]{1,200}(?:\n|\Z))+)",
    re.MULTILINE,
)
_ITEM = re.compile(r"-[ \t]{1,8}(?P<value>[^\r\n]*[^\s])")
#: What separates the cells of a table: of Markdown, or of a file.
_SEPARATORS = ("|", "\t", ";", ",")
_CELL_MARKS = " \t\"'*_`"
_RULE = re.compile(r"[\s|:+=-]+")
_MAX_CELL = 200
_MAX_COLUMNS = 256
_NAME = re.compile(r"[^\W\d_][^\d\n]{1,60}")


def labelled_values(text: str) -> Iterator[Entity]:
    """Yield what a text says to be a name, a card number, a password and the like."""
    for key, (start, end) in chain(_named_spans(text), _table_cells(text)):
        entity = _entity(key, text[start:end])
        if entity:
            yield Entity(start, end, entity)
    for match in _LINE.finditer(text):
        has_digit = any(map(str.isdigit, match["value"]))
        entity = entity_from_key(match["key"], match["value"]) if has_digit else None
        if entity in _LINE_ENTITIES:
            yield Entity(*match.span("value"), entity)


def _named_spans(text: str) -> Iterator[tuple[str, Span]]:
    """Yield a key and where its value stands: in elements, forms and lists."""
    for match in _ELEMENT.finditer(text):
        yield match["key"], match.span("text" if match["text"] else "quoted")
    for match in _FORM_FIELD.finditer(text) if "=" in text else ():
        key = match["key"] or match["part"]
        yield key, match.span("value" if match["key"] else "content")
    for match in _LIST.finditer(text):
        for item in _ITEM.finditer(text, *match.span("items")):
            yield match["key"], item.span("value")


def _entity(key: str, value: str) -> str | None:
    """Return what ``key`` says of a value in prose, where it may be a remark."""
    entity = entity_from_key(key, value)
    if entity == "PERSON":
        words = value.split()
        is_name = _NAME.fullmatch(value) and words[0][0].isupper() and len(words) <= 5
        is_repeated = "".join(words).lower() == re.sub(r"\W|_", "", key).lower()
        return entity if is_name and not is_repeated else None
    if entity == "SECRET" and not any(map(str.isdigit, value)):
        return None
    return entity


def _table_cells(text: str) -> Iterator[tuple[str, Span]]:
    """Yield the heading of each cell of a table, and where the cell's text stands."""
    separator = ""
    columns: list[str] = []
    position = 0
    for line in text.splitlines(keepends=True):
        start, position = position, position + len(line)
        cells = line.split(separator) if separator else []
        if columns and len(cells) == len(columns):
            if not _RULE.fullmatch(line):
                yield from _cells(cells, columns, start)
            continue
        separator = next((s for s in _SEPARATORS if s in line), "")
        columns = line.split(separator) if separator else []
        columns = [cell.strip().strip(_CELL_MARKS) for cell in columns[:_MAX_COLUMNS]]


def _cells(
    cells: list[str], columns: list[str], start: int
) -> Iterator[tuple[str, Span]]:
    for column, cell in zip(columns, cells, strict=True):
        value = cell.strip().strip(_CELL_MARKS)
        if value and column and len(value) <= _MAX_CELL:
            at = start + cell.index(value)
            yield column, (at, at + len(value))
        start += len(cell) + 1
