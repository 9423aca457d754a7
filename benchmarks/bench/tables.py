"""The results as Markdown tables, each beside its budget."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from .cases import CASES
from .runs import Cost, Failed, Presence

#: What recording may add, as shares of the least that another library adds.
CALLER_SHARE, PROCESS_SHARE = 0.2, 0.75
#: A case, and whether its calls are async.
Measured = Mapping[tuple[str, bool], Cost]


@dataclass(frozen=True)
class Figure:
    """One thing that is measured of a call, and what it may come to.

    Attributes:
        what: What the table calls it.
        field: Which of `probe.Times`'s fields it is.
        limit: The budget, in the unit.
        form: How it is printed.
        unit: ``"µs"``, or ``"%"`` of a call without the library.
        async_limit: The budget of an async call, if it is another.
    """

    what: str
    field: str
    limit: float | None
    form: str = "{:.1f}"
    unit: str = "µs"
    async_limit: float | None = None

    def values(self, cost: Cost) -> tuple[float, float, float]:
        """Return the median and its interval, in the unit."""
        added, bare = cost.added[self.field], cost.bare[self.field].median
        found = (added.median, added.low, added.high)
        if self.unit == "%":
            found = tuple(value / bare * 100 for value in found)
        return found  # type: ignore[return-value]  # three, as before

    def cell(self, cost: Cost) -> str:
        """Return the median with its interval, as a table shows it."""
        median, low, high = (self.form.format(value) for value in self.values(cost))
        return f"{median} ({low} to {high}) {self.unit}"


def _caller(what: str, limit: float) -> Figure:
    return Figure(f"caller's thread, {what}", "caller", limit)


def _caller_ratio(what: str, limit: float) -> Figure:
    return Figure(f"caller's thread, {what}", "caller", limit, unit="%")


def _process(what: str, limit: float | None) -> Figure:
    return Figure(f"whole process with delivery, {what}", "process", limit, "{:.0f}")


_CHUNK = Figure(
    "caller's thread, a streamed chunk", "chunk", 0.5, "{:.2f}", async_limit=0.6
)
_FIRST = Figure("time to the first chunk", "first", 20, "{:.0f}")

_CALL = Figure("caller's thread, a call", "caller", None, "{:.0f}")
_WHOLE = Figure("whole process, a call", "process", None, "{:.0f}")

_RECORDED = ("alone", "tools", "template", "scope", "argument")
_LARGE = ("megabyte", "messages")
_OFF = ("no key", "disabled")

#: What is measured of each case.
FIGURES: Mapping[str, tuple[Figure, ...]] = {
    "chat": (_caller(CASES["chat"].title, 18), _process(CASES["chat"].title, None)),
    "stream": (_caller(CASES["stream"].title, 18), _CHUNK, _FIRST),
    **{name: (_caller(CASES[name].title, 18),) for name in _RECORDED},
    **{name: (_caller_ratio(CASES[name].title, 3),) for name in _LARGE},
    "spool": (_caller(CASES["spool"].title, 75),),
    "relay": (_caller(CASES["relay"].title, 75), _process(CASES["relay"].title, 110)),
    **{name: (_caller(CASES[name].title, 2.5),) for name in _OFF},
}


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table in Markdown, its first column to the left."""
    yield _line(headings)
    yield _line(["---", *("--:" for _ in headings[1:])])
    yield from map(_line, rows)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def ours(
    measured: Measured, present: Presence | None, size: int | None
) -> Iterator[str]:
    """Yield what recording adds, case by case, and whether the budgets are met.

    Args:
        measured: The costs.
        present: What it takes to be there, if that was measured.
        size: How many bytes it adds to an environment with openai, likewise.
    """
    rows = []
    for case, figures in FIGURES.items():
        costs = [measured.get((case, is_async)) for is_async in (False, True)]
        rows += [_row(figure, costs) for figure in figures if any(costs)]
    if present is not None:
        rows.append(_single("start-up", present.start * 1e3, 15, "{:.1f} ms"))
        rows.append(
            _single("and the first client", present.first * 1e3, None, "{:.1f} ms")
        )
        rows.append(_single("memory", present.rss / 1e6, 5.5, "{:.1f} MB"))
    if size is not None:
        rows.append(_single("installed", size / 1e6, 10, "{:.1f} MB"))
    return table(["", "bare", "added", "async", "budget", "met"], rows)


def _row(figure: Figure, costs: list[Cost | None]) -> list[str]:
    known = [cost for cost in costs if cost is not None]
    limits = (figure.limit, figure.async_limit or figure.limit)
    form = f"{figure.form} {figure.unit}"
    found = [
        _verdict(form, limit, figure.values(cost)[0])
        for limit, cost in zip(limits, costs, strict=True)
        if cost is not None
    ]
    met = [" / ".join(dict.fromkeys(cells)) for cells in zip(*found, strict=True)]
    return [
        figure.what,
        f"{known[0].bare[figure.field].median:,.0f} µs",
        *("" if cost is None else figure.cell(cost) for cost in costs),
        *met,
    ]


def _single(what: str, value: float, limit: float | None, form: str) -> list[str]:
    return [what, "", form.format(value), "", *_verdict(form, limit, value)]


def _verdict(form: str, limit: float | None, value: float) -> tuple[str, str]:
    if limit is None:
        return "", ""
    whole = form.format(limit).replace(".0 ", " ")
    return f"≤ {whole}", "yes" if value <= limit else "**no**"


@dataclass(frozen=True)
class Standing:
    """What one library came to, beside others.

    Attributes:
        name: The library.
        chat: What it adds to a call.
        stream: What it adds to a stream; or why that is not known, for either.
        present: What it takes to be there.
        size: Bytes of its environment, openai included, if it has one of its own.
    """

    name: str
    chat: Cost | Failed
    stream: Cost | Failed
    present: Presence | Failed
    size: int | None


def peers(standings: Iterable[Standing | tuple[str, str]]) -> Iterator[str]:
    """Yield the libraries side by side, each as soon as it is known.

    Args:
        standings: What each came to; or its name and why there is nothing to say.
    """
    headings = [
        "added by",
        "openai",
        "caller's thread, a call",
        "whole process, a call",
        "a streamed chunk",
        "time to first chunk",
        "start-up",
        "memory",
        "installed, with openai",
    ]
    return table(headings, map(_standing, standings))


def comparison(standings: Iterable[Standing]) -> str:
    """Return how the first library's costs stand to the least of the others'."""
    costs = [standing.chat for standing in standings if isinstance(standing.chat, Cost)]
    if len(costs) < 2:
        return "There is nothing to compare it with."
    own, *others = costs
    caller, process = (
        own.added[name].median / min(other.added[name].median for other in others)
        for name in ("caller", "process")
    )
    return (
        f"Of the least that another library adds, it adds {caller:.0%} to the caller's "
        f"thread (budget: {CALLER_SHARE:.0%}) and {process:.0%} to the whole process "
        f"(budget: {PROCESS_SHARE:.0%})."
    )


def _standing(standing: Standing | tuple[str, str]) -> list[str]:
    if isinstance(standing, tuple):
        name, reason = standing
        return [name, reason, *[""] * 7]
    chat, stream, present = standing.chat, standing.stream, standing.present
    version, openai = "", ""
    cells = [str(chat), ""]
    if isinstance(chat, Cost):
        version, openai = chat.version, chat.openai
        cells = [_CALL.cell(chat), _WHOLE.cell(chat)]
    if isinstance(stream, Cost):
        # A chunk that takes almost no time was read before the first was returned.
        buffered = stream.ratio("chunk") < 0.5
        cells += [
            "(buffered)" if buffered else _CHUNK.cell(stream),
            _FIRST.cell(stream),
        ]
    else:
        cells += [str(stream), ""]
    if isinstance(present, Presence):
        cells += [f"{present.start:.2f} s", f"{present.rss / 1e6:.0f} MB"]
    else:
        cells += [str(present), ""]
    return [
        f"{standing.name} {version}",
        openai,
        *cells,
        "" if standing.size is None else f"{standing.size / 1e6:.0f} MB",
    ]
