"""Inline media, which holds no words to redact and costs a lot to look through.

Also the hash that stands for media taken out: its digits are no telephone number.
"""

import re
from collections.abc import Iterator

#: What follows the payload must end it, or else text glued to it would pass as media.
_MEDIA = re.compile(
    r"data:(?:image|audio|video|font|application)/[\w.+-]{1,60}"
    r"(?:;[\w.+-]{1,40}=[\w.+\"-]{1,60}){0,3};base64,[A-Za-z0-9+/_-]+={0,2}"
    r"(?![^\s\"'<>)\]},\\])"
    r"|\bsha256:[0-9a-f]{64}\b"
)
#: The payload of audio and file parts, which comes without a prefix.
_PAYLOAD = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_MIN_PAYLOAD = 512


def split_media(text: str) -> Iterator[tuple[str, bool]]:
    """Cut ``text`` into data URLs, hashes, and what lies between them.

    Returns:
        The pieces in order, each with whether it is media; joined they are ``text``.
    """
    if "base64," not in text and "sha256:" not in text:
        yield text, _is_payload(text)
        return
    position = 0
    for match in _MEDIA.finditer(text):
        yield text[position : match.start()], False
        yield match.group(), True
        position = match.end()
    yield text[position:], False


def _is_payload(text: str) -> bool:
    """Recognise a long text of nothing but base64."""
    return (
        len(text) >= _MIN_PAYLOAD
        and _PAYLOAD.fullmatch(text) is not None
        and not text.isdigit()
        and not text.isalpha()
    )
