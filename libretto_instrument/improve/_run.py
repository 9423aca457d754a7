"""Runs a replay: calls in parallel, waits for rate limits, keeps what there is."""

import math
import queue
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from attrs import define, evolve, field

from .._delivery.retry import parse_retry_after
from ._case import Case, answer_text, count_tokens
from ._recording import Outcome, call, recording
from ._replay import Replay
from ._request import Change, build_request
from ._results import Answer, Result, judge
from ._scores import Scorer, json_differences, score_answer
from ._sources import Recorded, hide_secrets
from ._stores import open_store, store_event

#: For how many seconds in all one call may wait for rate limits.
MAX_WAIT_SECONDS = 600.0
#: How many times a call is made again that failed otherwise, such as by status 500.
MAX_RETRIES = 2
#: Seconds for calls under way after Ctrl-C.
GRACE_SECONDS = 5.0
_MAX_BACKOFF = 60.0


class ReplayInterrupt(KeyboardInterrupt):
    """A replay was interrupted from the keyboard.

    Attributes:
        replay: What there is of it.
    """

    def __init__(self, replay: Replay) -> None:
        super().__init__()
        self.replay = replay


class _FatalError(Exception):
    """No other call would succeed either."""


@define(kw_only=True, eq=False)
class Run:
    """A replay that is about to be made; ``skipped`` are the cases that can't be."""

    id: str
    change: Change
    cases: Sequence[Case]
    skipped: Sequence[tuple[Case, str]]
    client: Any
    scorer: Scorer
    score_name: str
    times: int
    concurrency: int
    store: str | None
    _done: dict[tuple[str, int], Answer] = field(factory=dict, init=False)
    _before: dict[str, float | None] = field(factory=dict, init=False)
    _stop: threading.Event = field(factory=threading.Event, init=False)
    _paused_until: float = field(default=0.0, init=False)
    _problem: str | None = field(default=None, init=False)
    # Of several calls of one case the first to be done scores what was recorded.
    _locks: dict[str, threading.Lock] = field(
        factory=lambda: defaultdict(threading.Lock), init=False
    )

    @property
    def calls_left(self) -> int:
        """How many calls are still to be made."""
        return len(self.cases) * self.times - len(self._done)

    def estimate_tokens(self) -> int:
        """Return roughly how many tokens the calls will take, going by the past."""
        known = [
            (case.tokens_in or 0) + (case.tokens_out or 0)
            for case in self.cases
            if case.tokens_in or case.tokens_out
        ]
        mean = sum(known) / len(known) if known else 500.0
        return round(mean * self.calls_left)

    def execute(self, progress: Callable[[int], object] | None = None) -> Replay:
        """Make the calls; ``progress`` is called with 1 after each.

        Raises:
            ReplayInterrupt: It was interrupted; it has what there is.
            OSError: The place to record to can't be written. Nothing was sent.
            ValueError: It refuses to record. Nothing was sent.
        """
        if self.store is not None:
            open_store(self.store)
        jobs, lock = self._jobs(), threading.Lock()
        finished: queue.Queue[int | None] = queue.Queue()

        def work() -> None:
            try:
                while not self._stop.is_set():
                    with lock:
                        job = next(jobs, None)
                    if job is None:
                        return
                    case, attempt = job
                    answer = self._replay(case, attempt)
                    if answer is None:
                        return
                    self._done[case.id, attempt] = answer
                    finished.put(1)
            except BaseException as exc:
                self._problem = self._problem or str(exc) or type(exc).__name__
                self._stop.set()
            finally:
                finished.put(None)

        count = max(1, min(self.concurrency, self.calls_left))
        threads = [threading.Thread(target=work, daemon=True) for _ in range(count)]
        with recording():
            for thread in threads:
                thread.start()
            try:
                for _ in threads:
                    for done in iter(finished.get, None):
                        if progress is not None:
                            progress(done)
            except KeyboardInterrupt:
                self._stop.set()
                # The calls under way are paid for.
                deadline = time.monotonic() + GRACE_SECONDS
                for thread in threads:
                    thread.join(max(0.0, deadline - time.monotonic()))
                raise ReplayInterrupt(self.result()) from None
            finally:
                self._stop.set()
        return self.result()

    def _jobs(self) -> Iterator[tuple[Case, int]]:
        for case in self.cases:
            for attempt in range(self.times):
                if (case.id, attempt) not in self._done:
                    yield case, attempt

    def _replay(self, case: Case, attempt: int) -> Answer | None:
        """Return what came of a call; None if the replay was stopped before."""
        request = build_request(case, self.change)
        context = {"replay": self.id, "case": case.id, "attempt": attempt}

        def make() -> Outcome:
            return call(self.client, request, name=case.prompt, context=context)

        outcome = self._call_with_retries(make)
        if outcome is None:
            return None
        event, error = outcome
        answer = self._score(case, _read(event, error, attempt))
        if event is not None and self.store is not None:
            before = self._before.get(case.id)
            verdict = "error" if answer.error else judge(answer.score, before)
            scores = {"score": answer.score, "recorded_score": before}
            said = {**scores, "verdict": verdict, "scored_by": self.score_name}
            known = {key: value for key, value in said.items() if value is not None}
            kept = {**(event.get("context") or {}), **known}
            store_event(self.store, {**event, "context": kept})
        return answer

    def _call_with_retries(self, make: Callable[[], Outcome]) -> Outcome | None:
        """Make a call, again while it is worth trying; none once stopped."""
        import openai

        waited, tries = 0.0, 0
        while True:
            if self._stop.wait(max(0.0, self._paused_until - time.monotonic())):
                return None
            event, error = make()
            if isinstance(error, openai.AuthenticationError):
                raise _FatalError(f"The key is refused: {error}")
            if isinstance(error, openai.RateLimitError) and _is_limit(error):
                pause = _retry_after(error)
                if pause is None:
                    pause = min(2.0**tries, _MAX_BACKOFF) * random.uniform(0.5, 1)
                waited += pause
                if waited <= MAX_WAIT_SECONDS:
                    # Another call may have been told to wait for longer.
                    until = time.monotonic() + pause
                    self._paused_until = max(self._paused_until, until)
                    tries += 1
                    continue
            elif _is_passing(error) and tries < MAX_RETRIES:
                tries += 1
                self._stop.wait(0.5 * 2**tries * random.uniform(0.5, 1))
                continue
            return event, error

    def _score(self, case: Case, answer: Answer) -> Answer:
        """Return an answer with its score; score the recorded one, too."""
        with self._locks[case.id]:
            if case.id not in self._before:
                self._before[case.id] = self._score_recorded(case)
        if answer.error is not None:
            return evolve(answer, score=0.0)
        try:
            text = answer.text or ""
            score = score_answer(self.scorer, case, text)
            differs = (
                json_differences(case.target, text) if self.score_name == "json" else ()
            )
        except BaseException as exc:
            # A scorer of the user's may exit, or fail as a test does.
            return evolve(answer, score_error=f"{type(exc).__name__}: {exc}")
        return evolve(answer, score=score, differences=tuple(differs))

    def _score_recorded(self, case: Case) -> float | None:
        if case.answer is None:
            return 0.0
        try:
            return score_answer(self.scorer, case, case.answer)
        except BaseException:
            return None

    def load(self, recorded: Iterable[Recorded]) -> None:
        """Take over the answers of calls that were made already; errors are not."""
        cases = {case.id: case for case in self.cases}
        for made in recorded:
            context = made.event.get("context") or {}
            case = cases.get(str(context.get("case")))
            attempt = context.get("attempt", 0)
            is_known = isinstance(attempt, int) and 0 <= attempt < self.times
            if case is None or not is_known:
                continue
            try:
                answer = _read(made.event, None, attempt)
            except (AttributeError, TypeError, ValueError):
                continue  # Another program changed the store.
            before = context.get("recorded_score")
            is_same = context.get("scored_by") == self.score_name
            if is_same and isinstance(before, int | float):
                self._before.setdefault(case.id, before)
            self._done[case.id, attempt] = self._score(case, answer)

    def forget_errors(self) -> None:
        """Have calls that failed made again."""
        failed = [key for key, answer in self._done.items() if answer.error]
        for key in failed:
            del self._done[key]

    def result(self) -> Replay:
        """Return what there is by now."""
        answers: dict[str, list[Answer]] = defaultdict(list)
        for (case_id, _), answer in sorted(self._done.copy().items()):
            answers[case_id].append(answer)
        return Replay(
            id=self.id,
            change=self.change,
            results=[
                Result(
                    case=case,
                    recorded_score=self._before.get(case.id),
                    answers=tuple(answers[case.id]),
                )
                for case in self.cases
                if case.id in answers
            ],
            skipped=self.skipped,
            score_name=self.score_name,
            is_complete=self.calls_left == 0,
            store=hide_secrets(self.store) if self.store else None,
            problem=self._problem,
        )


def _read(
    event: dict[str, Any] | None, raised: Exception | None, attempt: int
) -> Answer:
    """Return what came of a call."""
    error = "; ".join(map(str, (event or {}).get("responseErrors") or ())) or None
    if raised is not None:
        error = f"{type(raised).__name__}: {raised}"
    elif event is None:
        error = "before_send withheld the event, and the answer with it"
    event = event or {}
    tokens_in, tokens_out = count_tokens(event)
    response_time = event.get("responseTime")
    return Answer(
        event_id=event.get("promptEventId"),
        attempt=attempt,
        text=answer_text(event),
        error=error,
        tokens_in=tokens_in,
        tokens_out=tokens_out,
        response_time=response_time if isinstance(response_time, int | float) else None,
    )


def _is_limit(error: Any) -> bool:
    """Say whether waiting helps; it does not bring new money."""
    return getattr(error, "code", None) != "insufficient_quota"


def _is_passing(error: Exception | None) -> bool:
    import openai

    if isinstance(error, openai.APIStatusError):
        return error.status_code in (408, 409) or error.status_code >= 500
    return isinstance(error, openai.APIConnectionError)


def _retry_after(error: Any) -> float | None:
    """Return for how many seconds a response asks to wait, if it does."""
    headers = getattr(getattr(error, "response", None), "headers", {})
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        with suppress(ValueError):
            seconds = float(headers.get(name, "")) / unit
            if math.isfinite(seconds) and seconds >= 0:
                return seconds
    return parse_retry_after(headers.get("retry-after"), time.time())
