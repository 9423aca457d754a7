"""Scores: how near an answer comes to its target, from 0 to 1."""

import importlib
import json
import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

from .._util.importing import load_object
from ._case import Case

Scorer = Callable[[Case, str], float]

#: Maximum number of differing paths reported for one answer.
_MAX_PATHS = 20
_ABSENT: Any = object()


def exact(case: Case, answer: str) -> float:
    """Score 1 for the target, white space around it aside."""
    return float(answer.strip() == case.target.strip())


def contains(case: Case, answer: str) -> float:
    """Score 1 for an answer that has the target in it."""
    return float(case.target.strip() in answer)


def equal_json(case: Case, answer: str) -> float:
    """Score 1 for an answer equal to the target as JSON.

    Raises:
        ValueError: The target is not JSON.
    """
    return float(not json_differences(case.target, answer))


def similar(case: Case, answer: str) -> float:
    """Score by how many characters have to change: rapidfuzz's ratio."""
    from rapidfuzz import fuzz

    return float(fuzz.ratio(case.target.strip(), answer.strip())) / 100


#: The scores that have a name.
SCORES: dict[str, Scorer] = {
    "contains": contains,
    "exact": exact,
    "json": equal_json,
    "similar": similar,
}


def load_scorer(name: str) -> Scorer:
    """Return the scorer of a name, or of ``module:function``.

    Raises:
        ValueError: There is none; the message says what there is.
    """
    if name == "similar":
        try:
            importlib.import_module("rapidfuzz")
        except ImportError:
            raise ValueError(
                "The score 'similar' needs rapidfuzz: "
                "pip install 'libretto-instrument[improve]'"
            ) from None
    if name in SCORES:
        return SCORES[name]
    if ":" not in name:
        there = ", ".join(SCORES)
        raise ValueError(
            f"unknown score {name!r}: must be one of {there}, or module:function"
        )
    found = load_object(name)
    if not callable(found):
        raise ValueError(f"{name} is not a function of a case and an answer.")
    scorer: Scorer = found
    return scorer


def score_answer(scorer: Scorer, case: Case, answer: str) -> float:
    """Return an answer's score.

    Raises:
        ValueError: It is not a number from 0 to 1.
    """
    value = scorer(case, answer)
    number = isinstance(value, Real) and math.isfinite(value)
    if not number or not 0 <= value <= 1:
        raise ValueError(f"a score must be from 0 to 1, not {value!r:.100}")
    return float(value)


def json_differences(target: str, answer: str) -> list[str]:
    """Return the paths at which an answer differs from its target, both as JSON.

    Raises:
        ValueError: The target is not JSON.
    """
    try:
        expected = json.loads(target)
    except (ValueError, RecursionError):
        raise ValueError("the target is not JSON") from None
    try:
        actual = json.loads(answer)
    except (ValueError, RecursionError):
        return ["$ is not JSON"]
    found = []
    for path in _differences(expected, actual, "$"):
        found.append(path)
        if len(found) == _MAX_PATHS:
            break
    return found


def _differences(expected: Any, actual: Any, path: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(actual, dict):
        for key in sorted({*expected, *actual}):
            ours, theirs = expected.get(key, _ABSENT), actual.get(key, _ABSENT)
            yield from _differences(ours, theirs, f"{path}.{key}")
    elif isinstance(expected, list) and isinstance(actual, list):
        for index in range(max(len(expected), len(actual))):
            ours, theirs = (
                each[index] if index < len(each) else _ABSENT
                for each in (expected, actual)
            )
            yield from _differences(ours, theirs, f"{path}[{index}]")
    elif not _is_equal(expected, actual):
        yield path


def _is_equal(expected: Any, actual: Any) -> bool:
    # To Python, True is 1; to JSON it is not.
    is_flag = isinstance(expected, bool) is isinstance(actual, bool)
    return is_flag and bool(expected == actual)
