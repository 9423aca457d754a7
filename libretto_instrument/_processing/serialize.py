"""Turns reports into messages: the JSON to post.

Imported with the first report, as delivery is.
"""

import os
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from time import perf_counter, time
from typing import Any

from .._config.settings import CallSettings
from .._delivery import Message
from .._events import Payload
from .._recognition import apply as _  # noqa: F401  # Loaded before it is needed.
from .._util import errors
from .._util.forks import fork_barrier
from .._util.json import encode
from .media import may_need_truncation
from .payload import build_payload
from .process import is_passthrough, process

#: Key for hashing ids; without it they could be recovered by brute force.
_ID_HASH_KEY = os.urandom(32)


def prepare(endpoints: Mapping[str, str], item: Any) -> Message | None:
    """Turn a finished call, feedback or a chain's result into the message to post.

    Args:
        endpoints: The URL for each kind of report.
        item: The call or the submission.

    Returns:
        None if the user's hook withheld it.
    """
    with fork_barrier:
        return _prepare(endpoints, item)


def _prepare(endpoints: Mapping[str, str], item: Any) -> Message | None:
    report = build_payload(item)
    settings = item.settings
    if report is None:
        errors.warn_once(
            "no template",
            "A call without a prompt template name that fits none of the templates is "
            "not recorded. Give it a name, or allow_unnamed_prompts.",
        )
        return None
    encoded = _encode_unmodified(report, settings)
    if encoded is None:
        body = process(report, settings)
        if body is None:
            return None
        encoded = encode(body)
    report_id, key = report.id, report.ordering_key
    if settings.redact_pii:
        report_id = _pseudonymize(report_id, encoded)
        key = None if key is None else _pseudonymize(key, encoded)
    api_key = settings.api_key or settings.project_key
    return Message(
        kind=report.kind,
        id=report_id,
        body=encoded,
        ordering_key=key,
        timestamp=_ended_at(item),
        endpoint=endpoints.get(report.kind),
        credential=None if api_key is None else _hash_credential(api_key),
    )


@lru_cache(maxsize=64)
def _hash_credential(api_key: str) -> str:
    return blake2b(api_key.encode(errors="surrogatepass"), digest_size=8).hexdigest()


def _ended_at(item: Any) -> float | None:
    """Return when a call ended, in seconds since the epoch; None if it did not."""
    # The call was timed with the monotonic clock; convert to wall-clock time.
    return time() - (perf_counter() - item.ended) if item.ended else None


def _pseudonymize(value: str, redacted: bytes) -> str:
    """Return an id that may stand beside a redacted body, also on disk.

    One that the body has lost to redaction is replaced by a hash, which is the same for
    the same id as long as this process lives, and cannot be reversed.
    """
    data = value.encode(errors="surrogatepass")
    if data in redacted:
        return value
    return blake2b(data, key=_ID_HASH_KEY, digest_size=16).hexdigest()


def _encode_unmodified(report: Payload, settings: CallSettings) -> bytes | None:
    """Return a report's JSON, if nothing has to be done to its body in between."""
    if not is_passthrough(settings):
        return None
    encoded = encode(report.to_json())
    return None if may_need_truncation(encoded, settings.max_field_bytes) else encoded
