"""Inline media, which holds no words to redact and costs a lot to look through.

Also the hash that stands for media taken out: its digits are no telephone number.
"""

import re
from collections.abc import Iterator

from ._normalize import text_of_base64

#: What follows the payload must end it, or else text glued to it would pass as media.
_MEDIA = re.compile(
    r"data:(?:image|audio|video|font|application)/[\w.+-]{1,60}"
    r"(?:;[\w.+-]{1,40}=[\w.+\"-]{1,60}){0,3};base64,"
    r"(?P<payload>[A-Za-z0-9+/_-]+={0,2})(?![^\s\"'<>)\]},\\])"
    r"|\bsha256:[0-9a-f]{64}\b"
)
#: How many characters of a payload are decoded to see whether it is a text.
_SAMPLE = 2_048


def split_media(text: str) -> Iterator[tuple[str, bool]]:
    """Cut ``text`` into data URLs, hashes, and what lies between them.

    Yields:
        The pieces in order, each with whether it is media; joined they are ``text``.
    """
    position = 0
    if "base64," in text or "sha256:" in text:
        for match in _MEDIA.finditer(text):
            payload = match["payload"]
            if payload is None or text_of_base64(payload[:_SAMPLE]) is None:
                yield text[position : match.start()], False
                yield match.group(), True
                position = match.end()
    yield text[position:], False
