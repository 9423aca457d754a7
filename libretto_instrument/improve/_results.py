"""The results of a replay: for each case the recorded and the replayed answers."""

from collections.abc import Iterable, Sequence
from statistics import fmean

from attrs import field, frozen

from .._util.statistics import Interval, bootstrap_interval, mean_interval
from ._case import Case
from ._request import Change

#: Scores nearer to each other than this are the same.
_NEAR = 1e-9


@frozen(kw_only=True)
class Answer:
    """One replayed call.

    Attributes:
        event_id: The id of its event.
        attempt: Which of several calls of one case it is, from 0.
        text: What the model answered; tool calls as JSON. None after an error.
        error: What went wrong with the call, or None.
        score: From 0 to 1; 0 after an error. None if it could not be scored.
        score_error: Why not.
        differences: The paths at which it differs from the target, of JSON.
        tokens_in: Tokens of the request.
        tokens_out: Tokens of the answer.
        response_time: In milliseconds.
    """

    event_id: str | None = None
    attempt: int = 0
    text: str | None = None
    error: str | None = None
    score: float | None = None
    score_error: str | None = None
    differences: Sequence[str] = ()
    tokens_in: int | None = None
    tokens_out: int | None = None
    response_time: float | None = None


@frozen(kw_only=True)
class Result:
    """A case and its replayed calls.

    Attributes:
        case: The case.
        recorded_score: The score of the recorded answer; None if it has none.
        answers: The replayed calls: one, unless more were asked for.
    """

    case: Case
    recorded_score: float | None
    answers: Sequence[Answer]

    @property
    def score(self) -> float | None:
        """The mean of the answers' scores; None if one could not be scored."""
        scores = [answer.score for answer in self.answers]
        known = [score for score in scores if score is not None]
        return fmean(known) if known and len(known) == len(scores) else None

    @property
    def error(self) -> str | None:
        """What went wrong with the first call that failed, or None."""
        errors = (answer.error or answer.score_error for answer in self.answers)
        return next(filter(None, errors), None)

    @property
    def verdict(self) -> str:
        """``"error"``, ``"unscored"``, ``"better"``, ``"worse"`` or ``"same"``."""
        if any(answer.error for answer in self.answers):
            return "error"
        return judge(self.score, self.recorded_score)


def judge(score: float | None, before: float | None) -> str:
    """Return how a score compares to the one before."""
    if score is None or before is None:
        return "unscored"
    if abs(score - before) < _NEAR:
        return "same"
    return "better" if score > before else "worse"


@frozen(kw_only=True)
class Comparison:
    """Scores beside those that the same cases had before.

    Attributes:
        cases: How many cases have both.
        better: How many have a higher score now.
        worse: How many have a lower one.
        mean: The mean difference.
        interval: Its interval of 95 %; None for fewer than six cases.
    """

    cases: int
    better: int
    worse: int
    mean: float
    interval: Interval | None

    @property
    def is_worse(self) -> bool:
        """Whether the scores are lower, beyond what chance explains."""
        return self.interval is not None and self.interval[1] < 0

    @property
    def is_better(self) -> bool:
        """Whether the scores are higher, beyond what chance explains."""
        return self.interval is not None and self.interval[0] > 0


def compare(pairs: Iterable[tuple[float | None, float | None]]) -> Comparison:
    """Compare pairs of the score before and the score now."""
    known = [(a, b) for a, b in pairs if a is not None and b is not None]
    differences = [after - before for before, after in known]
    verdicts = [judge(after, before) for before, after in known]
    return Comparison(
        cases=len(known),
        better=verdicts.count("better"),
        worse=verdicts.count("worse"),
        mean=fmean(differences) if differences else 0.0,
        interval=bootstrap_interval(differences),
    )


@frozen(kw_only=True, repr=False)
class ReplayResults:
    """The results of a replay, and what follows from them.

    Attributes:
        id: What `context["replay"]` of its events says.
        change: What was changed.
        results: One for each case, in the order of the cases.
        skipped: The cases that can't be replayed, each with the reason.
        score_name: What was scored by.
        is_complete: False if it was broken off.
        store: The local Libretto, or the file, that has its events; None if none has.
        problem: Why it was broken off by itself, or None.
        against: The replay that it is compared to, if there is one.
    """

    id: str
    change: Change
    results: Sequence[Result]
    skipped: Sequence[tuple[Case, str]] = ()
    score_name: str = "exact"
    is_complete: bool = True
    store: str | None = None
    problem: str | None = None
    against: "ReplayResults | None" = field(default=None)

    def _of(self, verdict: str) -> list[Result]:
        return [each for each in self.results if each.verdict == verdict]

    @property
    def better(self) -> list[Result]:
        """The results with a higher score than the recorded answer."""
        return self._of("better")

    @property
    def worse(self) -> list[Result]:
        """The results with a lower score than the recorded answer."""
        return self._of("worse")

    @property
    def same(self) -> list[Result]:
        """The results with the recorded answer's score."""
        return self._of("same")

    @property
    def errors(self) -> list[Result]:
        """The results with a call that failed."""
        return self._of("error")

    @property
    def unscored(self) -> list[Result]:
        """The results that could not be scored."""
        return self._of("unscored")

    @property
    def score(self) -> float | None:
        """The mean score of the cases, an error counting 0; None without any."""
        scores = [r.score for r in self.results if r.score is not None]
        return fmean(scores) if scores else None

    @property
    def recorded_score(self) -> float | None:
        """The mean score of the recorded answers of the same cases."""
        before = [r.recorded_score for r in self.results if r.score is not None]
        known = [score for score in before if score is not None]
        return fmean(known) if known else None

    @property
    def interval(self) -> Interval | None:
        """The interval of 95 % of the mean score; None for too few cases."""
        return mean_interval([r.score for r in self.results if r.score is not None])

    @property
    def comparison(self) -> Comparison:
        """The scores beside those of the recorded answers."""
        return compare((r.recorded_score, r.score) for r in self.results)

    def compare_to(self, other: "ReplayResults") -> Comparison:
        """Return the scores beside those of another replay of the same cases."""
        before = {result.case.id: result.score for result in other.results}
        return compare((before.get(r.case.id), r.score) for r in self.results)

    def mean_of(self, name: str) -> tuple[float | None, float | None]:
        """Return a mean of the recorded calls and of the replayed ones.

        Cases count where both the recorded and the replayed call say it; calls that
        failed do not.

        Args:
            name: ``tokens_in``, ``tokens_out`` or ``response_time``.
        """
        old: list[float] = []
        new: list[float] = []
        for result in self.results:
            before = getattr(result.case, name)
            answered = [answer for answer in result.answers if not answer.error]
            values = [getattr(answer, name) for answer in answered]
            after = [value for value in values if value is not None]
            if before is not None and after:
                old.append(before)
                new.append(fmean(after))
        return (fmean(old), fmean(new)) if old else (None, None)
