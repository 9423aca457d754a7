"""Truncates events: placeholders for images, audio and files, and long text cut.

A backend refuses an event that is too large, and with it the text that matters. Runs on
the worker, because decoding and hashing megabytes takes time.
"""

import re
from base64 import b64decode
from hashlib import sha256
from mimetypes import guess_type
from typing import Any

# Compiled on first use, not at import.
_DATA_URL = (
    r"data:([\w.+-]{1,80}/[\w.+-]{1,80})?(?:;[^;,\s\"']{1,120}){0,4}?;base64,"
    r"([A-Za-z0-9+/_-]+={0,2})"
)
_BASE64 = r"[A-Za-z0-9+/_=\r\n-]+"
_URL_SAFE = str.maketrans("-_", "+/", "\r\n")

#: What stands at the end of a text that was cut.
_CUT = re.compile(r"… <cut: \d+ bytes, sha256:[0-9a-f]{64}>\Z")
_MAX_CUT_NOTE = 128
#: Longer, in characters, than what is recognised as personal data only when whole.
_CUT_MARGIN = 512

#: How files start, for media whose type nothing else tells.
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


#: One of these is in the JSON of every value that holds media, and rarely in others.
_MEDIA_HINTS = (
    b"base64,",
    b"b64",  # b64_json, partial_image_b64
    b'"file_data":"',
    b'"image_generation_call"',
    b'audio":{',  # audio, input_audio
)


def may_need_truncation(encoded: bytes, limit: int) -> bool:
    """Return whether `truncate` could change a value, by a quick look at its JSON."""
    return len(encoded) > limit or any(trace in encoded for trace in _MEDIA_HINTS)


def truncate(value: Any, limit: int) -> Any:
    """Return a JSON value with placeholders for base64 media, and long strings cut.

    A placeholder holds the media type, the size in bytes and the SHA-256. Base64 is
    recognised by its data URL, or by the field of OpenAI's API that it stands in.

    Args:
        value: The value; it is not changed.
        limit: Bytes to keep of any other string.
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
    """Return a field of the object ``parent``, truncated."""
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


#: Fields that hold bare base64, with what tells its media type from the object around.
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


def drop_cut_ends(value: Any) -> Any:
    """Return a redacted JSON value without what stood last before each cut.

    Personal data that is cut in two is not recognised: half an address leaves.
    """
    if isinstance(value, str):
        cut = _CUT.search(value, max(0, len(value) - _MAX_CUT_NOTE))
        if cut is None:
            return value
        return value[: max(0, cut.start() - _CUT_MARGIN)] + cut.group()
    if isinstance(value, dict):
        return {name: drop_cut_ends(item) for name, item in value.items()}
    if isinstance(value, list):
        return [drop_cut_ends(item) for item in value]
    return value


def _placeholder(media: str, base64: str) -> str:
    data = _decode_base64(base64)
    if media.endswith("*"):
        media = _sniff_media_type(data, media)
    return f"<{media}, {len(data)} bytes, sha256:{sha256(data).hexdigest()}>"


def _sniff_media_type(data: bytes, media: str) -> str:
    """Return the media type of the data's first bytes, or ``media`` if unknown."""
    group = "" if media.startswith("application") else media.removesuffix("*")
    for start, kind in _MAGIC_NUMBERS:
        if data.startswith(start) and kind.startswith(group):
            return kind
    return media


def _decode_base64(base64: str) -> bytes:
    """Decode base64 of either alphabet, with padding anywhere or none.

    Streamed audio comes in pieces, each with its own padding.
    """
    data = bytearray()
    for piece in base64.translate(_URL_SAFE).split("="):
        # A single character over four holds less than a byte.
        usable = piece[:-1] if len(piece) % 4 == 1 else piece
        data += b64decode(usable + "=" * (-len(usable) % 4))
    return bytes(data)
