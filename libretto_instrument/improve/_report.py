"""A replay as text, as HTML for notebooks, as JSON and as JUnit's XML."""

import html
import re
import shutil
from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

import attrs

from .._util.json import decode, encode
from .._util.terminal import printable
from ._case import Case
from ._results import Comparison, ReplayResults, Result

#: How many results are shown, unless all are asked for.
MAX_SHOWN = 20
_ORDER = ("error", "unscored", "worse", "same", "better")
#: Characters that XML does not allow.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def worst_first(results: Sequence[Result]) -> list[Result]:
    """Return results, those that need a look first."""

    def rank(result: Result) -> tuple[int, float]:
        gain = (result.score or 0) - (result.recorded_score or 0)
        return _ORDER.index(result.verdict), gain

    return sorted(results, key=rank)


def format_replay(replay: ReplayResults) -> str:
    """Return a table, worst first, and a summary."""
    shown = worst_first(replay.results)[:MAX_SHOWN]
    width = max(shutil.get_terminal_size((100, 24)).columns, 60)
    lines = [f"{'case':8}  {'before':>6}  {'now':>6}  {'':8}  answer"]
    for result in shown:
        shown_text = result.error or result.answers[0].text or ""
        differences = result.answers[0].differences
        if differences and not result.error:
            shown_text = f"{', '.join(differences)}: {shown_text}"
        text = printable(" ".join(shown_text.split()))
        max_chars = width - 37
        lines.append(
            f"{result.case.id[:8]}  {_number(result.recorded_score):>6}  "
            f"{_number(result.score):>6}  {result.verdict:8}  "
            f"{text if len(text) <= max_chars else text[: max_chars - 1] + '…'}"
        )
    if len(replay.results) > len(shown):
        lines.append(f"… and {len(replay.results) - len(shown)} more")
    return printable("\n".join([*lines, "", *summarize(replay)]))


def summarize(replay: ReplayResults) -> list[str]:
    """Return the lines of a summary."""
    counts = [
        f"{len(replay.better)} better",
        f"{len(replay.worse)} worse",
        f"{len(replay.same)} the same",
    ]
    if replay.errors:
        counts.append(f"{len(replay.errors)} failed")
    if replay.unscored:
        counts.append(f"{len(replay.unscored)} not scored")
    lines = [f"{', '.join(counts)} (scored by {replay.score_name})"]
    if replay.score is not None:
        line = f"score {_number(replay.recorded_score)} → {_number(replay.score)}"
        if interval := replay.interval:
            line += f" (95 %: {interval[0]:.2f} to {interval[1]:.2f})"
        lines.append(f"{line}; {_gain(replay.comparison)}")
    if replay.against is not None:
        against = replay.compare_to(replay.against)
        lines.append(
            f"against {replay.against.id}: {against.better} better, "
            f"{against.worse} worse of {against.cases}; {_gain(against)}"
        )
    means = [
        _change("tokens in", *replay.mean_of("tokens_in")),
        _change("tokens out", *replay.mean_of("tokens_out")),
        _change("time", *replay.mean_of("response_time"), unit=" ms"),
    ]
    if any(means):
        lines.append("; ".join(filter(None, means)) + " (means a call)")
    if replay.skipped:
        why = sorted({why for _, why in replay.skipped})
        lines.append(f"{len(replay.skipped)} can't be replayed: {'; '.join(why)}")
    if not replay.is_complete:
        lines.append("broken off before its end")
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _gain(comparison: Comparison) -> str:
    text = f"difference {comparison.mean:+.2f}"
    interval = comparison.interval
    if interval is None:
        return f"{text}, too few cases to tell"
    clear = comparison.is_better or comparison.is_worse
    tail = "" if clear else ", which may be chance"
    return f"{text} (95 %: {interval[0]:+.2f} to {interval[1]:+.2f}){tail}"


def _change(what: str, old: float | None, new: float | None, unit: str = "") -> str:
    if old is None or new is None:
        return ""
    share = f" ({(new - old) / old:+.0%})" if old else ""
    return f"{what} {old:,.0f}{unit} → {new:,.0f}{unit}{share}"


def replay_to_dict(replay: ReplayResults) -> dict[str, Any]:
    """Return a replay as values that JSON has."""
    return {
        "id": replay.id,
        "model": replay.change.model,
        # A template of a module may hold what JSON has no form for.
        "template": decode(encode(replay.change.template)),
        "parameters": decode(encode(dict(replay.change.parameters))),
        "remove": list(replay.change.remove),
        "scored_by": replay.score_name,
        "is_complete": replay.is_complete,
        "problem": replay.problem,
        "store": replay.store,
        "summary": {
            "cases": len(replay.results),
            **{name: len(getattr(replay, name)) for name in _COUNTED},
            "skipped": len(replay.skipped),
            "score": replay.score,
            "interval": replay.interval,
            "recorded_score": replay.recorded_score,
            "comparison": attrs.asdict(replay.comparison),
            "against": _against(replay),
            **{name: replay.mean_of(name) for name in _MEANS},
        },
        "results": [_result_to_dict(result) for result in replay.results],
        "skipped": [
            {"case": case.id, "reason": reason} for case, reason in replay.skipped
        ],
    }


_COUNTED = ("better", "worse", "same", "errors", "unscored")
_MEANS = ("tokens_in", "tokens_out", "response_time")


def _against(replay: ReplayResults) -> dict[str, Any] | None:
    if replay.against is None:
        return None
    comparison = attrs.asdict(replay.compare_to(replay.against))
    return {"id": replay.against.id, **comparison}


def _result_to_dict(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "case": case.id,
        "prompt": case.prompt,
        "verdict": result.verdict,
        "score": result.score,
        "recorded_score": result.recorded_score,
        "target": case.target,
        "recorded": case.answer,
        "answers": [attrs.asdict(answer) for answer in result.answers],
    }


def replay_to_junit(replay: ReplayResults, fail_under: float | None) -> str:
    """Return a replay as JUnit's XML, a test for each case."""
    tests = [_test(result) for result in replay.results]
    for case, reason in replay.skipped:
        test = _testcase(_name(case))
        ElementTree.SubElement(test, "skipped", message=_xml(reason))
        tests.append(test)
    for name, problem in check_limits(replay, fail_under):
        test = _testcase(name)
        if problem:
            ElementTree.SubElement(test, "failure", message=_xml(problem))
        tests.append(test)
    suite = ElementTree.Element(
        "testsuite",
        name=f"replay {replay.id}",
        tests=str(len(tests)),
        failures=str(sum(test.find("failure") is not None for test in tests)),
        errors=str(sum(test.find("error") is not None for test in tests)),
        skipped=str(len(replay.skipped)),
    )
    suite.extend(tests)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    # As a text it would say the locale's encoding, which is not that of the file.
    report: bytes = ElementTree.tostring(root, "utf-8", xml_declaration=True)
    return f"{report.decode()}\n"


def check_limits(
    replay: ReplayResults, fail_under: float | None
) -> list[tuple[str, str | None]]:
    """Return what a replay as a whole is held to, and why it fails, if it does."""
    found: list[tuple[str, str | None]] = []
    score = replay.score
    if fail_under is not None:
        fails = score is None or score < fail_under
        problem = f"the mean score {_number(score)} is below {fail_under:g}"
        found.append(("mean score", problem if fails else None))
    if replay.against is not None:
        against = replay.compare_to(replay.against)
        problem = f"worse than {replay.against.id}: {_gain(against)}"
        found.append(("against", problem if against.is_worse else None))
    if replay.results and len(replay.errors) == len(replay.results):
        found.append(("calls", "every call failed"))
    return found


def _test(result: Result) -> ElementTree.Element:
    test = _testcase(_name(result.case))
    times = [answer.response_time or 0.0 for answer in result.answers]
    test.set("time", f"{sum(times) / 1000:.3f}")
    if result.error is not None:
        ElementTree.SubElement(test, "error", message=_xml(result.error))
    elif result.verdict == "worse":
        message = f"score {_number(result.score)}, {_number(result.recorded_score)} "
        failure = ElementTree.SubElement(test, "failure", message=message + "before")
        answers = [answer.text or "" for answer in result.answers]
        texts = [f"target: {result.case.target}", *(f"now: {text}" for text in answers)]
        failure.text = _xml("\n".join(texts))
    return test


def _name(case: Case) -> str:
    return f"{case.prompt or 'unnamed'} {case.id}"


def _testcase(name: str) -> ElementTree.Element:
    return ElementTree.Element("testcase", classname="replay", name=_xml(name))


def _xml(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)


def replay_to_html(replay: ReplayResults) -> str:
    """Return a replay as HTML, for notebooks."""
    cells = ["case", "before", "now", "", "target", "answer"]
    rows = [f"<tr>{''.join(f'<th>{cell}</th>' for cell in cells)}</tr>"]
    for result in worst_first(replay.results)[:MAX_SHOWN]:
        values = (
            result.case.__name__,
            _number(result.recorded_score),
            _number(result.score),
            result.verdict,
            result.case.target,
            result.error or result.answers[0].text or "",
        )
        columns = "".join(f"<td>{html.escape(value[:500])}</td>" for value in values)
        rows.append(f"<tr>{columns}</tr>")
    lines = "<br>".join(map(html.escape, summarize(replay)))
    return f"<p>{lines}</p><table>{''.join(rows)}</table>"
