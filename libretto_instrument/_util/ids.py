"""Ids for events, feedback and chains."""

import os
from collections import deque

#: So many are made at once: alone, one costs several times as much.
_POOL_SIZE = 32

_pool: deque[str] = deque()


def new_id() -> str:
    """Return a random UUID (version 4) as text, for less than `uuid.uuid4` takes."""
    try:
        return _pool.pop()
    except IndexError:
        return _refill()


def _refill() -> str:
    """Return an id, and leave some more for later."""
    random = os.urandom(16 * _POOL_SIZE)
    made = [_format_uuid4(random[at : at + 16]) for at in range(0, 16 * _POOL_SIZE, 16)]
    _pool.extend(made[1:])
    return made[0]


def _format_uuid4(random: bytes) -> str:
    digits, variant = random.hex(), "89ab"[random[8] & 3]
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}"
        f"-{variant}{digits[17:20]}-{digits[20:]}"
    )


if hasattr(os, "register_at_fork"):
    # A forked process must not repeat what its parent has ready.
    os.register_at_fork(after_in_child=_pool.clear)
