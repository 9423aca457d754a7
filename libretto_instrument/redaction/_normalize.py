"""Normalised copies of a text, with a way back to the positions of the original.

Personal data hides behind encodings (``%40``, ``&#64;``, ``\\u0040``), invisible
characters, and unusual digits, dots and spaces. Detectors look at normalised copies;
what they find is mapped back and replaced in the text as it came.
"""

import re
import unicodedata
from base64 import b64decode
from bisect import bisect_right
from collections.abc import Iterator
from functools import lru_cache
from html import unescape
from urllib.parse import unquote_to_bytes

from attrs import evolve, frozen

#: Encodings may be nested; deeper ones are left as they are.
_MAX_ROUNDS = 4

#: Controls, format and bidirectional characters, fillers, variation selectors, tags.
_INVISIBLE = (
    "\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5"
    "\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff"
    "\uffa0\ufff0-\ufffd\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
#: Marks that are written over the character before them.
_COMBINING = (
    "\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f"
)
#: Unusual spaces, dots, dashes, quotes, and letters and digits in other forms.
_FORMS = (
    "\x0b\x0c\x85\u00a0\u00b2\u00b3\u00b7\u00b9\u1680\u2000-\u200a\u2010-\u2015"
    "\u2018-\u201f\u2022-\u2029\u202f\u2032\u2033\u203a\u2043\u205f\u2070-\u209c"
    "\u2100-\u214f\u2212\u2215\u2219\u22c5\u2460-\u24ff\u2776-\u2793\u2800\u3000-\u3002"
    "\u30fb\ufe50-\ufe6b\uff00-\uff9f\uffa1-\uffef\U0001d400-\U0001d7ff"
    "\U0001f100-\U0001f1ff"
)
_PLAIN_FORMS = {
    **dict.fromkeys("\u2018\u2019\u201a\u201b\u2032", "'"),
    **dict.fromkeys("\u201c\u201d\u201e\u201f\u2033", '"'),
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2043\u2212", "-"),
    **dict.fromkeys(
        "\u00b7\u2022\u2024\u2027\u2219\u22c5\u3002\uff61\u30fb\uff65", "."
    ),
    **dict.fromkeys("\u2028\u2029\x85\x0b\x0c", "\n"),
    "\u2215": "/",
    "\u2800": " ",
}
_FORM = re.compile(f"[{_FORMS}]|(?=[^\x00-\x7f])\\d")
_FORM_OR_INVISIBLE = re.compile(f"[{_FORMS}{_INVISIBLE}]|(?=[^\x00-\x7f])\\d")
#: How JSON that was cut off, and much code, writes line ends, tabs and quotes.
_SIMPLE_ESCAPE = re.compile(r"\\([nrt\"])")

_BACKSLASH = (
    r"\\{1,8}(?:[ux]\{[0-9A-Fa-f]{1,6}\}|u[Dd][89ABab][0-9A-Fa-f]{2}\\{1,8}u[0-9A-Fa-f]{4}"
    r"|u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|x[0-9A-Fa-f]{2}|[01][0-7]{2}|[nrtfv]"
    r"|[!-/:-@\[\]-`{-~]|\r?\n)"
)
_PERCENT = r"(?:%(?:25)*[0-9A-Fa-f]{2})+"
_ENTITY = (
    r"&(?:amp;)*(?:\#[0-9]{1,7};?|\#[xX][0-9A-Fa-f]{1,6};?|[A-Za-z][A-Za-z0-9]{1,30};)"
)
#: A space in a form's data: ``name=Jane+Doe``.
_FORM_SPACE = re.compile(r"(?<=[A-Za-z0-9)])\+(?=[A-Za-z0-9(])")
_TERMINAL = "\x1b\\[[0-9;?]{0,20}[A-Za-z]"
#: What mail writes in lines of limited length: ``=40``, and ``=`` before a line end.
_QUOTED_PRINTABLE = re.compile(r"(?:=[0-9A-F]{2})+|=\r?\n")
#: Tags inside a line, which are not displayed: ``jane<b>@</b>example.com``.
_TAG = (
    r"</?(?:a|b|code|em|font|i|mark|small|span|strong|sub|sup|tt|u|wbr)"
    r"(?:[ \t\n/][^<>]{0,300})?>|<!--(?:[^-]|-(?!-)){0,300}-->"
)
#: How addresses are kept from being links: ``203[.]0[.]113[.]195``, ``jane[dot]doe``.
_DEFANGED = r"\[[.:]\]|[\[({]dot[\])}]"
_ENCODED = re.compile(
    f"{_BACKSLASH}|{_PERCENT}|{_ENTITY}|{_TERMINAL}|{_TAG}"
    f"|{_DEFANGED}|[{_INVISIBLE}{_COMBINING}]+|{_FORM.pattern}"
)
_UNREADABLE = re.compile(f"[{_INVISIBLE}{_COMBINING}]|{_FORM.pattern}")
#: What makes the second copy worth while: encodings that change the length of a text.
_NEEDS_DECODING = re.compile(
    r"\\{2}|\\(?![nrt\"])[!-~]|\\\r?\n"
    f"|{_PERCENT}|{_ENTITY}|{_TAG}|{_DEFANGED}"
    f"|[{_INVISIBLE}{_COMBINING}]"
    "|[\u2100-\u214f\u2460-\u24ff\U0001f100-\U0001f1ff]"
)
_UNICODE = re.compile(r"[uUx]\{?([0-9A-Fa-f]+)\}?")

#: Base64, also in lines of equal length as mail and certificates have it.
_BASE64 = re.compile(
    r"(?<![A-Za-z0-9+/_-])(?:(?:[A-Za-z0-9+/]{60,76}\r?\n)+[A-Za-z0-9+/]+|"
    r"[A-Za-z0-9+/_-]{16,})={0,2}"
)
_HEX = re.compile(
    r"(?<![0-9A-Za-z])(?:0x)?((?:[0-9A-Fa-f]{2}){8,}"
    r"|[0-9A-Fa-f]{2}(?:[ :][0-9A-Fa-f]{2}){7,})(?![0-9A-Za-z])"
)
_SPACE = re.compile(r"\s+")
_URL_SAFE = str.maketrans("-_", "+/")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")


@frozen
class Shadow:
    """A normalised copy of a text.

    Attributes:
        text: The copy.
        starts: Where each replaced piece starts in the copy, in ascending order.
        edits: For each, its end in the copy, and start and end of what it replaces.
        origin: What the positions of ``edits`` refer to; None for the original text.
    """

    text: str
    starts: list[int]
    edits: list[tuple[int, int, int]]
    origin: "Shadow | None" = None

    def span(self, start: int, end: int) -> tuple[int, int]:
        """Return where a stretch of the copy stands in the original text."""
        start, end = self._original(start)[0], self._original(end - 1)[1]
        return self.origin.span(start, end) if self.origin else (start, end)

    def _original(self, position: int) -> tuple[int, int]:
        """Return start and end of what the character at ``position`` stands for."""
        index = bisect_right(self.starts, position) - 1
        if index < 0:
            return position, position + 1
        end, old_start, old_end = self.edits[index]
        if position < end:
            return old_start, old_end
        position += old_end - end
        return position, position + 1


def shadows(text: str) -> Iterator[Shadow]:
    """Yield the normalised copies of a text that are worth looking at.

    The first is as long as the text, with plain characters for unusual ones. A second
    follows if there is something to decode or to leave out; others, if the text may be
    quoted-printable, and if a plus may stand for a space. All are needed: what reads as
    an encoding may be none.
    """
    plain = text
    if "\\" in text:
        # Left as it is, the escape would join an n to the word behind it.
        plain = _SIMPLE_ESCAPE.sub(_plain_escape, plain)
    if not text.isascii() or not text.isprintable():
        plain = _FORM_OR_INVISIBLE.sub(_one_character, plain)
    yield Shadow(plain, [], [])
    decoded: Shadow | None = None
    for _ in range(_MAX_ROUNDS):
        current = decoded.text if decoded else text
        if not _NEEDS_DECODING.search(current):
            break
        following = _decode(current, decoded, _ENCODED)
        if not following.edits:
            break
        decoded = following
    if decoded:
        yield decoded
    if _QUOTED_PRINTABLE.search(text):
        yield _decode(text, None, _QUOTED_PRINTABLE)
    if "+" in text and ("=" in text or "%" in text):
        last = decoded or Shadow(plain, [], [])
        spaced = _FORM_SPACE.sub(" ", last.text)
        if spaced != last.text:
            yield evolve(last, text=spaced)


def _decode(text: str, origin: Shadow | None, encoded: re.Pattern[str]) -> Shadow:
    """Decode one level of what ``encoded`` matches."""
    parts: list[str] = []
    starts: list[int] = []
    edits: list[tuple[int, int, int]] = []
    position = length = 0
    for match in encoded.finditer(text):
        start, end = match.span()
        new = _decoded(match.group())
        if new == match.group():
            continue
        length += start - position
        parts += (text[position:start], new)
        starts.append(length)
        length += len(new)
        edits.append((length, start, end))
        position = end
    parts.append(text[position:])
    return Shadow("".join(parts), starts, edits, origin)


def _decoded(code: str) -> str:
    """Return what an encoding, or a run of characters to leave out, stands for."""
    first = code[0]
    if first == "<" or (first == "=" and code.endswith("\n")):
        return ""
    if first == "\\" and code.endswith("\n"):
        return ""  # A line that goes on.
    if first in "[({":
        return code[1] if code[1] != "d" else "."
    if first in "%=":
        code = code.replace("=", "%") if first == "=" else code.replace("%25", "%")
        data = unquote_to_bytes(code)
        try:
            code = data.decode()
        except UnicodeDecodeError:
            code = data.decode("latin-1")
    elif first == "&":
        code = unescape(code)
    elif first == "\\":
        code = _unescaped(code.lstrip("\\"))
    elif first == "\x1b":
        return ""
    return _UNREADABLE.sub(lambda match: _fold(match.group()), code)


def _unescaped(code: str) -> str:
    """Return the character that an escape without its backslashes stands for."""
    number = _UNICODE.match(code)
    if number is None:
        if len(code) == 3:
            return chr(int(code, 8))
        return "\n" if code in "nrv" else " " if code in "tf" else code
    value = int(number[1], 16)
    if number.end() < len(code):
        low = int(code[-4:], 16)
        value = 0x10000 + ((value & 0x3FF) << 10) + (low & 0x3FF)
    return chr(value) if value <= 0x10FFFF else ""


def _plain_escape(match: re.Match[str]) -> str:
    return ' "' if match[1] == '"' else " \n"


def _one_character(match: re.Match[str]) -> str:
    folded = _fold(match.group())
    return folded if len(folded) == 1 else " "


@lru_cache(4_096)
def _fold(character: str) -> str:
    """Return the plain form of an unusual character; several letters for some."""
    plain = _PLAIN_FORMS.get(character)
    if plain is not None:
        return plain
    if character.isdigit():
        return str(unicodedata.digit(character))
    if not _FORM.match(character):
        return ""
    folded = unicodedata.normalize("NFKC", character)
    return _PLAIN_FORMS.get(folded, folded)


def encoded_texts(text: str, depth: int = 0) -> Iterator[tuple[int, int, str]]:
    """Yield the stretches of base64 and of hexadecimal digits that hold text.

    Yields:
        Where it starts and ends, and the text that it holds.
    """
    for match in _BASE64.finditer(text):
        decoded = text_of_base64(match.group())
        if decoded is not None:
            yield *match.span(), decoded
            if depth < _MAX_ROUNDS and _BASE64.fullmatch(decoded.strip()):
                for _, _, inner in encoded_texts(decoded, depth + 1):
                    yield *match.span(), inner
    for match in _HEX.finditer(text):
        data = bytes.fromhex(re.sub("[^0-9A-Fa-f]", "", match[1]))
        if data.isascii() and not _CONTROL.search(data.decode()):
            yield *match.span(), data.decode()


def text_of_base64(code: str) -> str | None:
    """Return the text that base64 of either alphabet holds; None if it holds none."""
    code = _SPACE.sub("", code).translate(_URL_SAFE).rstrip("=")
    code = code[: len(code) - (len(code) % 4 == 1)]
    data = b64decode(code + "=" * (-len(code) % 4))
    if len(data) > 1 and not any(data[1:-1:2]):
        return data[: len(data) // 2 * 2].decode("utf-16-le", errors="ignore")
    decoded = data.decode(errors="ignore")
    # Of random bytes about half are dropped, and a quarter of the rest is controls.
    controls = len(_CONTROL.findall(decoded))
    is_text = controls <= 0.15 * len(decoded)
    return decoded if is_text and len(decoded.encode()) > 0.7 * len(data) else None
