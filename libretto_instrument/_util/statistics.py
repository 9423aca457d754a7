"""Intervals of 95 % around means and differences."""

import math
import random
from collections.abc import Sequence
from statistics import fmean

Interval = tuple[float, float]

#: The normal distribution's quantile that leaves 2.5 % on each side.
_Z = 1.959963984540054
#: With fewer values an interval would say more than they do.
MIN_VALUES = 6
#: Above this many values the mean's distribution is taken for a normal one.
_MANY = 200
_DRAWS = 2_000


def wilson_interval(successes: int, count: int) -> Interval:
    """Return the Wilson score interval of a proportion."""
    if count == 0:
        return 0.0, 1.0
    share, square = successes / count, _Z * _Z
    middle = share + square / (2 * count)
    spread = _Z * math.sqrt(share * (1 - share) / count + square / (4 * count**2))
    denominator = 1 + square / count
    low, high = (middle - spread) / denominator, (middle + spread) / denominator
    return max(low, 0.0), min(high, 1.0)


def bootstrap_interval(values: Sequence[float]) -> Interval | None:
    """Return the percentile bootstrap interval of a mean; None for too few values.

    It is the same each time for the same values, whatever their order.
    """
    count = len(values)
    if count < MIN_VALUES:
        return None
    if count > _MANY:
        return normal_interval(count, sum(values), sum(value**2 for value in values))
    draw, ordered = random.Random(count), sorted(values)
    means = sorted(fmean(draw.choices(ordered, k=count)) for _ in range(_DRAWS))
    return _quantile(means, 0.025), _quantile(means, 0.975)


def normal_interval(count: int, total: float, squares: float) -> Interval | None:
    """Return the normal distribution's interval of a mean; None for too few values.

    Args:
        count: How many values there are.
        total: Their sum.
        squares: The sum of their squares.
    """
    if count < MIN_VALUES:
        return None
    mean = total / count
    variance = max(squares - total * mean, 0.0) / (count - 1)
    spread = _Z * math.sqrt(variance / count)
    return mean - spread, mean + spread


def _quantile(ordered: Sequence[float], share: float) -> float:
    position = share * (len(ordered) - 1)
    low = math.floor(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (position - low) * (ordered[high] - ordered[low])


def mean_interval(values: Sequence[float]) -> Interval | None:
    """Return the interval of a mean: Wilson's where all values are 0 or 1."""
    if values and all(value in (0, 1) for value in values):
        return wilson_interval(round(sum(values)), len(values))
    return bootstrap_interval(values)
