"""Prepares replays: checks what is asked for before anything is sent."""

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from attrs import evolve

from .._capture.server import name_provider
from .._recognition.known import is_chat
from ._case import Case
from ._replay import Replay
from ._request import Change, ReplayError, choose_replayable
from ._run import Run
from ._scores import Scorer, load_scorer
from ._sources import hide_secrets, replayed_calls
from ._stores import check_store, find_local


def prepare(
    cases: Iterable[Case],
    change: Change,
    *,
    score: "str | Scorer" = "exact",
    times: int = 1,
    concurrency: int = 8,
    to: str | None = None,
    client: Any = None,
    resume: str | None = None,
) -> Run:
    """Return a replay that is about to be made; nothing is sent yet.

    See `replay` for the arguments.
    """
    if times < 1 or concurrency < 1:
        raise ReplayError("times and concurrency must be at least 1.")
    if type(client).__name__.startswith("Async"):
        raise ReplayError("The client must not be an async one.")
    requested = list(cases)
    _check_arguments(requested, change, score)
    chosen, skipped = choose_replayable(requested, change)
    if chosen:
        # Trying again is left to us, who time each call.
        client = (client or _make_client()).with_options(max_retries=0)
        if change.model is None:
            provider = name_provider(client.base_url)
            skipped += [
                (
                    case,
                    f"its model is of another provider ({case.provider}, not "
                    f"{provider}): name a model of this one",
                )
                for case in chosen
                if case.provider != provider
            ]
            chosen = [case for case in chosen if case.provider == provider]
    if not chosen:
        reasons = "; ".join(sorted({why for _, why in skipped}))
        raise ReplayError(
            f"None of the {len(requested)} cases can be replayed: {reasons}."
        )
    scorer = load_scorer(score) if isinstance(score, str) else score
    if to is not None:
        check_store(to)
    moment = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
    run = Run(
        id=resume or f"{moment}-{change.digest}-{random.randrange(16**4):04x}",
        change=change,
        cases=chosen,
        skipped=skipped,
        client=client,
        scorer=scorer,
        score_name=score
        if isinstance(score, str)
        else getattr(score, "__name__", type(score).__name__),
        times=times,
        concurrency=concurrency,
        store=find_local() if to is None else to,
    )
    if resume is not None:
        _resume(run, resume)
    return run


def _check_arguments(
    cases: Sequence[Any], change: Change, score: "str | Scorer"
) -> None:
    """Refuse what would only be noticed once calls are paid for."""
    if not cases:
        raise ReplayError("There are no cases to replay.")
    for case in cases:
        if not isinstance(case, Case):
            raise ReplayError(f"A {type(case).__name__} is not a case; see cases().")
    (newest, count), *_ = Counter(case.id for case in cases).most_common(1)
    if count > 1:
        raise ReplayError(f"The case {newest} is given {count} times; see times=.")
    template = change.template
    if template is not None and not isinstance(template, str):
        if not is_chat(template):
            raise ReplayError("A template must be a text, or a list of messages.")
        if not template:
            raise ReplayError("The template has no messages.")
    if not isinstance(score, str) and not callable(score):
        raise ReplayError("A score must be a name, or a function of case and answer.")


def _resume(run: Run, resume: str) -> None:
    if run.store is None:
        raise ReplayError("To resume a replay takes the place that it was recorded in.")
    if f"-{run.change.digest}-" not in resume:
        raise ReplayError(
            f"The replay {resume} was made with another template, model or parameters."
        )
    recorded = list(replayed_calls(run.store, resume))
    if not recorded:
        raise ReplayError(f"There is no replay {resume} in {hide_secrets(run.store)}.")
    run.load(recorded)
    run.forget_errors()


def load_replay(run: Run, replay: str) -> Replay:
    """Return another replay of a run's cases, as its store has it.

    Raises:
        ReplayError: The store has none, or none of the same cases.
    """
    if run.store is None:
        raise ReplayError("To compare takes the place that the other was recorded in.")
    other = evolve(run, id=replay, change=Change(), skipped=(), times=1_000)
    other.load(replayed_calls(run.store, replay))
    result = other.result()
    if not result.results:
        where = hide_secrets(run.store)
        raise ReplayError(f"There is no replay {replay} of these cases in {where}.")
    return result


_AZURE_VARIABLES = (
    "AZURE_OPENAI_ENDPOINT",
    "AZURE_OPENAI_API_KEY",
    "AZURE_OPENAI_AD_TOKEN",
)


def _make_client() -> Any:
    """Return the client that the environment asks for, as `openai.chat` chooses it."""
    import openai

    kind = os.environ.get("OPENAI_API_TYPE")
    if kind is None and any(map(os.environ.get, _AZURE_VARIABLES)):
        if os.environ.get("OPENAI_API_KEY"):
            raise ReplayError(
                "There is a key of OpenAI and settings of Azure in the environment: "
                "set OPENAI_API_TYPE to openai or azure."
            )
        kind = "azure"
    try:
        return openai.AzureOpenAI() if kind == "azure" else openai.OpenAI()
    except (openai.OpenAIError, ValueError) as exc:
        raise ReplayError(f"No client can be made: {exc}") from exc


def replay(
    cases: "Case | Iterable[Case]",
    *,
    template: Any = None,
    model: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    remove: Sequence[str] = (),
    score: "str | Scorer" = "exact",
    times: int = 1,
    concurrency: int = 8,
    to: str | None = None,
    client: Any = None,
    resume: str | None = None,
    progress: Callable[[int], object] | None = None,
) -> Replay:
    """Make the calls of cases again, and compare the answers.

    Each is made as it was recorded, but for what is to change. Calls are recorded with
    ``replay`` and ``case`` in their context.

    Args:
        cases: The cases, or one.
        template: A new template for the recorded parameters: messages, or a text.
        model: Another model.
        parameters: Arguments of the request to set, such as ``{"temperature": 0}``.
        remove: Arguments of the request to leave out.
        score: ``"exact"``, ``"json"``, ``"contains"``, ``"similar"``,
            ``"module:function"``, or a function of a case and an answer that returns
            a number from 0 to 1.
        times: How many times to make each call.
        concurrency: How many calls to make at once.
        to: Where to record: the address of a local Libretto, or a file. Left out, the
            local Libretto of this machine (that of ``LIBRETTO_API_PREFIX``, or of
            port 4620), if one answers; else nowhere.
        client: A client of openai; one made from the environment if left out.
        resume: The id of a replay that was broken off, to go on with.
        progress: Called with 1 after each call.

    Raises:
        ReplayError: It can't be made: a parameter that the template needs is missing,
            for example. The message names it, and nothing was sent.
        ReplayInterrupt: Ctrl-C; the exception has what there is.
        OSError: The place to record to does not answer.
    """
    if isinstance(remove, str):
        raise TypeError("remove must be a list of names, not a str.")
    change = Change(
        template=getattr(template, "template", template),
        model=model,
        parameters=dict(parameters or {}),
        remove=tuple(remove),
    )
    run = prepare(
        [cases] if isinstance(cases, Case) else cases,
        change,
        score=score,
        times=times,
        concurrency=concurrency,
        to=to,
        client=client,
        resume=resume,
    )
    return run.execute(progress)
