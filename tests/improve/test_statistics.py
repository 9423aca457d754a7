"""Intervals, beside those of another implementation."""

import random
from statistics import fmean

import pytest

from libretto_instrument._util import statistics
from libretto_instrument._util.statistics import (
    bootstrap_interval,
    mean_interval,
    wilson_interval,
)

stats = pytest.importorskip("scipy.stats", reason="scipy is not installed")


def samples() -> list[list[float]]:
    """Return random values of several kinds and lengths."""
    draw = random.Random(7)
    kinds = (
        draw.random,
        lambda: draw.choice([-1.0, 0.0, 0.0, 1.0]),
        lambda: draw.betavariate(0.5, 3),
    )
    return [[kind() for _ in range(n)] for kind in kinds for n in (10, 60, 200)]


@pytest.mark.parametrize("count", [1, 5, 40, 1000])
@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.97, 1])
def test_wilson(count: int, share: float) -> None:
    """Wilson's interval is scipy's."""
    successes = round(share * count)
    theirs = stats.binomtest(successes, count).proportion_ci(method="wilson")
    assert wilson_interval(successes, count) == pytest.approx(theirs, abs=1e-9)


@pytest.mark.parametrize("values", samples())
def test_bootstrap(values: list[float]) -> None:
    """The bootstrap's interval is scipy's, as near as two draws are to each other."""
    ours = bootstrap_interval(values)
    drawn = stats.bootstrap(
        (values,), fmean_of_rows, method="percentile", n_resamples=20_000, rng=3
    )
    theirs = drawn.confidence_interval
    width = theirs.high - theirs.low
    assert ours == pytest.approx(tuple(theirs), abs=0.08 * width)


def fmean_of_rows(values: object, axis: int = -1) -> object:
    return values.mean(axis=axis)  # type: ignore[attr-defined]


def test_many_values(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many values the interval is the normal distribution's, and much the same."""
    draw = random.Random(1)
    values = [draw.betavariate(2, 3) for _ in range(1_500)]
    ours = bootstrap_interval(values)
    monkeypatch.setattr(statistics, "_MANY", 2_000)
    theirs = stats.norm.interval(0.95, fmean(values), stats.sem(values))
    assert ours == pytest.approx(theirs)
    assert bootstrap_interval(values) == pytest.approx(ours, abs=0.002)


def test_an_interval_is_the_same_each_time() -> None:
    """The same values have the same interval."""
    values = [0.1, 0.9, 0.4, 0.3, 0.7, 0.2]
    assert bootstrap_interval(values) == bootstrap_interval(values[::-1])
    assert bootstrap_interval(values[:5]) is None
    assert mean_interval([1.0, 0.0, 1.0]) == wilson_interval(2, 3)
    assert wilson_interval(0, 0) == (0, 1)
