"""A replay, as `replay()` returns it: its results, and all ways to show them."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen

from . import _report
from ._results import ReplayResults


@frozen(kw_only=True, repr=False)
class Replay(ReplayResults):
    """A replay: prints well, and can be asserted on.

    Its fields are those of `ReplayResults`.
    """

    def to_dict(self) -> Mapping[str, Any]:
        """Return all of it as values that JSON has."""
        return _report.replay_to_dict(self)

    def to_junit(self, fail_under: float | None = None) -> str:
        """Return a report in JUnit's XML: a failure for each case that became worse.

        Args:
            fail_under: One more failure if the mean score is below this.
        """
        return _report.replay_to_junit(self, fail_under)

    def __str__(self) -> str:
        return _report.format_replay(self)

    def __repr__(self) -> str:
        return f"<Replay {self.id}: {len(self.results)} cases>"

    def _repr_html_(self) -> str:
        return _report.replay_to_html(self)
