"""Ids for events, feedback and chains."""

import os


def fresh_id() -> str:
    """Return a random UUID (version 4) as text, at a fifth of `uuid.uuid4`'s cost.

    From the system's source of randomness, so a forked process does not repeat it.
    """
    random = os.urandom(16)
    digits, variant = random.hex(), "89ab"[random[8] & 3]
    return (
        f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}"
        f"-{variant}{digits[17:20]}-{digits[20:]}"
    )
