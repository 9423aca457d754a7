"""When to try again."""

from datetime import datetime, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libretto_instrument.delivery._retry import (
    BASE,
    CAP,
    RETRY_AFTER_CAP,
    UNWELL_AFTER,
    Health,
    backoff,
    parse_retry_after,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)


@given(st.integers(min_value=1, max_value=10**6))
def test_backoff_is_bounded(failures):
    """Pauses grow by doubling and stay below the cap, however often it failed."""
    longest = CAP if failures > 20 else min(CAP, BASE * 2 ** (failures - 1))
    assert 0 <= backoff(failures) <= longest


def test_backoff_has_full_jitter():
    """Pauses are spread over the whole range, lest clients come back in step."""
    pauses = [backoff(6) for _ in range(2000)]
    assert min(pauses) < 1
    assert max(pauses) > 15


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("0", 0),
        ("7", 7),
        (" 7 ", 7),
        ("9" * 5000, RETRY_AFTER_CAP),
        (format_datetime(NOON.replace(minute=1), usegmt=True), 60),
        ("Tue, 01 Jan 2030 12:01:00 -0000", 60),
        (format_datetime(NOON.replace(year=2029), usegmt=True), 0),
        (format_datetime(NOON.replace(year=2031), usegmt=True), RETRY_AFTER_CAP),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
        ("", None),
        ("Tue, 99 Foo 2030 12:01:00 GMT", None),
    ],
)
def test_retry_after(header, seconds):
    """Both forms of the header are read, bounded, and nonsense is ignored."""
    assert parse_retry_after(header, NOON.timestamp()) == seconds


def test_single_failures_are_the_messages_own():
    """A failure or two between successes do not stop the other messages."""
    health = Health()
    for _ in range(100):
        for _ in range(UNWELL_AFTER - 1):
            health.failed(0.0, None, CAP)
        assert health.allows(0.0, in_flight=30)
        health.succeeded()


def test_unwell():
    """After some failures in a row there is a pause, then one probe at a time."""
    health = Health()
    for _ in range(UNWELL_AFTER):
        health.failed(100.0, None, CAP)
    health.resume_at = 101.0
    assert not health.allows(100.5, in_flight=0)
    assert health.allows(101.5, in_flight=0)
    assert not health.allows(101.5, in_flight=1)
    health.succeeded()
    assert health.allows(100.5, in_flight=30)


def test_asked_for_patience():
    """A single ``Retry-After`` pauses everything for as long as it says."""
    health = Health()
    health.failed(100.0, 7.0, CAP)
    assert not health.allows(106.9, in_flight=0)
    assert health.allows(107.0, in_flight=0)
