"""When to try again."""

import math
from datetime import datetime, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libretto_instrument._delivery.circuit import FAILURE_THRESHOLD, CircuitBreaker
from libretto_instrument._delivery.retry import (
    INITIAL_BACKOFF,
    MAX_BACKOFF,
    MAX_RETRY_AFTER,
    backoff,
    parse_retry_after,
)

NOON = datetime(2030, 1, 1, 12, tzinfo=timezone.utc)


@given(st.integers(min_value=1, max_value=10**6))
def test_backoff_is_bounded(failures):
    """Pauses grow by doubling and stay below the cap, however often it failed."""
    highest = INITIAL_BACKOFF * 2 ** min(failures - 1, 20)
    longest = min(MAX_BACKOFF, highest)
    assert 0 <= backoff(failures) <= longest


def test_backoff_has_full_jitter():
    """Pauses are spread over the whole range, so that clients do not return in step."""
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
        ("9" * 5000, MAX_RETRY_AFTER),
        (format_datetime(NOON.replace(minute=1), usegmt=True), 60),
        ("Tue, 01 Jan 2030 12:01:00 -0000", 60),
        (format_datetime(NOON.replace(year=2029), usegmt=True), 0),
        (format_datetime(NOON.replace(year=2031), usegmt=True), MAX_RETRY_AFTER),
        ("soon", None),
        ("-5", None),
        ("1.5", 1.5),
        ("1.", None),
        ("1e9", None),
        ("٣", None),
        ("", None),
        ("Tue, 99 Foo 2030 12:01:00 GMT", None),
    ],
)
def test_retry_after(header, seconds):
    """Both forms of the header are read, bounded, and nonsense is ignored."""
    assert parse_retry_after(header, NOON.timestamp()) == seconds


def test_single_failures_open_nothing():
    """A failure or two between successes do not stop the other messages."""
    breaker = CircuitBreaker()
    for _ in range(100):
        for _ in range(FAILURE_THRESHOLD - 1):
            breaker.on_failure(0.0, MAX_BACKOFF)
        assert breaker.next_at(0.0) == 0.0
        breaker.on_success()


def test_open():
    """After some failures in a row there is a pause, then a probe."""
    breaker = CircuitBreaker()
    for _ in range(FAILURE_THRESHOLD):
        breaker.on_failure(100.0, MAX_BACKOFF)
    assert breaker.is_open
    breaker.open_until(101.0)
    assert breaker.next_at(100.5) == 101.0
    assert breaker.next_at(101.5) == 101.5
    breaker.is_probing = True
    assert breaker.next_at(101.5) == math.inf
    breaker.on_success()
    assert breaker.next_at(100.5) == 100.5
