"""Reads back what Libretto stored and compares it with what should be there."""

from collections.abc import Iterable, Iterator
from typing import Any

import httpx
from attrs import frozen

from ._scenarios import Expected, Scenario

Row = dict[str, Any]

#: More events than one run makes.
_LIMIT = 200
#: Seconds to wait for a response of Libretto.
_TIMEOUT = 10.0


@frozen
class StoredEvents:
    """What Libretto stored of one run.

    Attributes:
        events: Oldest first, as ``/api/events`` lists them.
        results: The results of chains, by chain id.
    """

    events: tuple[Row, ...]
    results: dict[str, Any]


@frozen
class CheckResult:
    """One expected event.

    Attributes:
        scenario: The name of the scenario that should have left it.
        prompt: Its prompt template's name.
        row: The event that was found.
        problem: What is missing; ``""`` if nothing is.
    """

    scenario: str
    prompt: str
    row: Row | None
    problem: str


def fetch_stored(url: str, run_id: str) -> StoredEvents:
    """Fetch the events of a run from Libretto.

    Args:
        url: Libretto's address.
        run_id: The value of ``demo_run`` in the context of the run's events.

    Raises:
        httpx.HTTPError: Libretto did not answer.
    """
    with httpx.Client(base_url=url, timeout=_TIMEOUT) as client:

        def fetch(listing: str, **query: Any) -> list[Row]:
            response = client.get(f"/api/{listing}", params=query | {"limit": _LIMIT})
            rows: list[Row] = response.raise_for_status().json()[listing]
            return rows

        events = fetch("events", context=f"demo_run={run_id}")
        chains = fetch("chains")
    results = {row["id"]: row["result"] for row in chains if row["result"]}
    return StoredEvents(tuple(reversed(events)), results)


def check(scenarios: Iterable[Scenario], stored: StoredEvents) -> list[CheckResult]:
    """Return what became of each event that the scenarios should have left."""
    unmatched = list(stored.events)
    return [
        result
        for scenario in scenarios
        for result in _check(scenario, unmatched, stored.results)
    ]


def _check(
    scenario: Scenario, unmatched: list[Row], results: dict[str, Any]
) -> Iterator[CheckResult]:
    matches = [(each, _pop_match(each, unmatched)) for each in scenario.expected]
    chains = {row["chain_id"] for _, row in matches if row}
    for expected, row in matches:
        if row is None:
            problem = "it did not arrive"
            yield CheckResult(scenario.name, expected.prompt, None, problem)
            continue
        missing = _missing_keys(expected, row)
        if scenario.expects_rating and row["rating"] is None:
            missing.append("feedback")
        if scenario.expects_chain and (len(chains) > 1 or not chains & results.keys()):
            missing.append("the chain's result")
        problem = f"without {', '.join(missing)}" if missing else ""
        yield CheckResult(scenario.name, expected.prompt, row, problem)


def _pop_match(expected: Expected, unmatched: list[Row]) -> Row | None:
    rows = [row for row in unmatched if row["prompt"] == expected.prompt]
    best = min(rows, key=lambda row: len(_missing_keys(expected, row)), default=None)
    if best is not None:
        unmatched.remove(best)
    return best


def _missing_keys(expected: Expected, row: Row) -> list[str]:
    return [key for key in expected.required_keys if not row["event"].get(key)]
