"""Keeps events small: markers in place of pictures and sound, long text cut.

A backend refuses an event that is too large, and with it the text that mattered. Runs
on the worker, as decoding and hashing megabytes takes its time.
"""

import re
from base64 import b64decode
from hashlib import sha256
from mimetypes import guess_type
from typing import Any

# Compiled when first used, not at every start.
_DATA_URL = (
    r"data:([\w.+-]{1,80}/[\w.+-]{1,80})?(?:;[^;,\s\"']{1,120}){0,4}?;base64,"
    r"([A-Za-z0-9+/_-]+={0,2})"
)
_BASE64 = r"[A-Za-z0-9+/_=\r\n-]+"
_URL_SAFE = str.maketrans("-_", "+/", "\r\n")

#: How files begin, where nothing else says what they are.
_MAGIC_NUMBERS = (
    (b"RIFF", "audio/wav"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
    (b"RIFF", "image/webp"),
    (b"\x89PNG", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF", "application/pdf"),
)


#: What stands in the JSON of every value that holds media, and hardly elsewhere. Few,
#: as the whole of it is searched for each.
_MEDIA_HINTS = (
    b"base64,",
    b"b64",  # b64_json, partial_image_b64
    b'"file_data":"',
    b'"image_generation_call"',
    b'audio":{',  # audio, input_audio
)


def may_need_truncation(encoded: bytes, limit: int) -> bool:
    """Say whether `truncate` could change a value, from its JSON; a quick look.

    Args:
        encoded: The value's JSON, without white space between its parts.
        limit: How many bytes of any string are kept.
    """
    return len(encoded) > limit or any(trace in encoded for trace in _MEDIA_HINTS)


def truncate(value: Any, limit: int) -> Any:
    """Return a JSON value with markers for base64 media, and its long strings cut.

    A marker tells media type, size in bytes and SHA-256 of what was there. Base64 is
    known by its data URL, or by the field of OpenAI's API that it stands in.

    Args:
        value: The value; it is left as it is.
        limit: How many bytes of any other string are kept.
    """
    if isinstance(value, str):
        return _truncate_text(value, limit)
    if isinstance(value, dict):
        return {
            name: _truncate_field(name, item, value, limit)
            for name, item in value.items()
        }
    if isinstance(value, list):
        return [truncate(item, limit) for item in value]
    return value


def _truncate_field(name: Any, value: Any, parent: dict[Any, Any], limit: int) -> Any:
    """Return a field of the object ``parent``."""
    if isinstance(value, str):
        if name in _MEDIA and re.fullmatch(_BASE64, value):
            media = _MEDIA[name](parent)
            if media is not None:
                return _placeholder(media, value)
        return _truncate_text(value, limit)
    if name in ("audio", "input_audio") and isinstance(value, dict):
        data = value.get("data")
        if isinstance(data, str) and re.fullmatch(_BASE64, data):
            media = f"audio/{value.get('format') or '*'}"
            rest = {key: item for key, item in value.items() if key != "data"}
            return {**truncate(rest, limit), "data": _placeholder(media, data)}
    return truncate(value, limit)


def _file_media_type(parent: dict[Any, Any]) -> str:
    name = parent.get("filename")
    guess = guess_type(name)[0] if isinstance(name, str) else None
    return guess or "application/*"


def _image_media_type(parent: dict[Any, Any]) -> str:
    return f"image/{parent.get('output_format') or '*'}"


def _generated_media_type(parent: dict[Any, Any]) -> str | None:
    return (
        _image_media_type(parent)
        if parent.get("type") == "image_generation_call"
        else None
    )


#: Fields that hold bare base64, by what the object around says of its kind.
_MEDIA = {
    "b64_json": _image_media_type,
    "file_data": _file_media_type,
    "partial_image_b64": _image_media_type,
    "result": _generated_media_type,
}


def _truncate_text(text: str, limit: int) -> str:
    if "base64," in text:
        text = re.sub(
            _DATA_URL, lambda url: _placeholder(url[1] or "text/plain", url[2]), text
        )
    if len(text) * 4 <= limit:
        return text
    data = text.encode(errors="surrogatepass")
    if len(data) <= limit:
        return text
    kept = data[:limit].decode(errors="ignore")
    return f"{kept}… <cut: {len(data)} bytes, sha256:{sha256(data).hexdigest()}>"


def _placeholder(media: str, base64: str) -> str:
    data = _decode_base64(base64)
    if media.endswith("*"):
        media = _sniff_media_type(data, media)
    return f"<{media}, {len(data)} bytes, sha256:{sha256(data).hexdigest()}>"


def _sniff_media_type(data: bytes, media: str) -> str:
    """Return a media type that goes by how the data begins, or ``media`` itself."""
    group = "" if media.startswith("application") else media.removesuffix("*")
    for start, kind in _MAGIC_NUMBERS:
        if data.startswith(start) and kind.startswith(group):
            return kind
    return media


def _decode_base64(base64: str) -> bytes:
    """Decode base64 of either alphabet, with padding anywhere or none.

    Streamed sound comes in pieces that are padded each.
    """
    data = bytearray()
    for piece in base64.translate(_URL_SAFE).split("="):
        # A single character over four holds less than a byte.
        whole = piece[:-1] if len(piece) % 4 == 1 else piece
        data += b64decode(whole + "=" * (-len(whole) % 4))
    return bytes(data)
