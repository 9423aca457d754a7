"""The ``replay`` command: cases called again, compared, and held to a score."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._util.importing import load_object
from .._util.terminal import printable
from .argtypes import fraction
from .cases import with_warnings

if TYPE_CHECKING:
    from ..improve import Replay
    from ..improve._run import Run

#: Where replays are recorded if no local Libretto answers and nothing else was named.
FILE = "replays.jsonl"

_DATABASES = (".db", ".sqlite")
_FAILED, _UNUSABLE, _INTERRUPTED = 1, 2, 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``replay``."""
    add = parser.add_argument
    add("cases", help="a file of cases; or where cases come from, as in cases --from")
    add("--prompt", metavar="NAME", help="only cases of this prompt")
    add(
        "--case",
        dest="ids",
        metavar="ID",
        action="append",
        default=[],
        help="only the case of this id; may be repeated",
    )
    add(
        "--template",
        metavar="TEMPLATE",
        help="the new template: a file (.json for messages), or module:NAME",
    )
    add("--model", metavar="MODEL", help="the new model")
    add(
        "--set",
        dest="parameters",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a parameter of the request, such as temperature=0; may be repeated",
    )
    add(
        "--unset",
        dest="remove",
        metavar="NAME",
        action="append",
        default=[],
        help="a parameter of the request to leave out; may be repeated",
    )
    add("--times", type=int, default=1, metavar="N", help="calls of each case")
    add("--concurrency", type=int, default=8, metavar="N", help="calls at once")
    add(
        "--score",
        default="exact",
        help="exact, json, contains, similar or module:function",
    )
    add(
        "--fail-under",
        type=fraction,
        metavar="SCORE",
        help="fail below this mean score",
    )
    add("--against", metavar="ID", help="compare to this replay; fail if it is worse")
    add("--resume", metavar="ID", help="go on with a replay that was broken off")
    add(
        "--to",
        metavar="DESTINATION",
        help="where to record: a local Libretto's address or database, or a file "
        f"(default: the local Libretto that answers, or else {FILE})",
    )
    add("--yes", action="store_true", help="do not ask before calling the model")
    add("--json", action="store_true", help="print JSON instead of a table")
    add("--junit", metavar="FILE", help="write a report in JUnit's XML")


def run(args: argparse.Namespace) -> int:
    """Replay cases; return 1 where they fail, 2 where something could not be done."""
    from .. import improve
    from ..improve._prepare import load_replay, prepare
    from ..improve._request import Change
    from ..improve._sources import hide_secrets

    if args.junit is not None:
        report = Path(args.junit).absolute()
        if report.is_dir() or not report.parent.is_dir():
            raise ValueError(f"{args.junit!r} is not a file, or has no directory")
    change = Change(
        template=None if args.template is None else load_template(args.template),
        model=args.model,
        parameters=dict(map(parse_parameter, args.parameters)),
        remove=tuple(args.remove),
    )
    cases = with_warnings(improve.cases, args.cases, prompt=args.prompt)
    if args.ids:
        absent = set(args.ids) - {case.id for case in cases}
        if absent:
            source = hide_secrets(args.cases)
            raise ValueError(f"there is no case {min(absent)} in {source}")
        cases = [case for case in cases if case.id in args.ids]
    with _open_location(args) as (to, location):
        prepared = prepare(
            cases,
            change,
            score=args.score,
            times=args.times,
            concurrency=args.concurrency,
            to=to,
            resume=args.resume,
        )
        against = None if args.against is None else load_replay(prepared, args.against)
        _tell(prepared, location)
        if prepared.calls_left and not args.yes and not _agrees():
            return _UNUSABLE
        return _execute(args, prepared, against, location)


def _execute(
    args: argparse.Namespace, run: "Run", against: "Replay | None", location: str
) -> int:
    from attrs import evolve

    from .._util.progress import progress_bar
    from ..improve import ReplayInterrupt
    from ..improve._report import check_limits

    is_interrupted = False
    try:
        with progress_bar("replaying", run.calls_left) as progress:
            replay = run.execute(progress)
    except ReplayInterrupt as exc:
        replay, is_interrupted = exc.replay, True
    replay = evolve(replay, against=against, store=location)
    try:  # Neither a full disk nor a reader that leaves costs what both would have.
        if args.junit is not None:
            Path(args.junit).write_text(replay.to_junit(args.fail_under), "utf-8")
    finally:
        print(json.dumps(replay.to_dict(), indent=2) if args.json else replay)
    if location.startswith("http"):
        _say(f"See {location.rstrip('/')}/replays/{replay.id}")
    elif _is_database(location):
        _say(f"See it with: libretto-instrument serve --db {shlex.quote(location)}")
    if not replay.is_complete:
        rest = [] if args.resume else ["--resume", run.id]
        command = shlex.join(["libretto-instrument", *sys.argv[1:], *rest])
        _say(f"{replay.problem or 'Interrupted'}. To go on:\n  {command}")
    if is_interrupted:
        return _INTERRUPTED
    if not replay.is_complete:
        return _UNUSABLE
    failures = [
        problem for _, problem in check_limits(replay, args.fail_under) if problem
    ]
    for problem in failures:
        _say(f"failed: {problem}")
    if failures:
        return _FAILED
    if replay.unscored:
        first = replay.unscored[0]
        reason = first.error or "the recorded answer can't be scored"
        _say(f"{len(replay.unscored)} not scored: case {first.case.id}: {reason}")
        return _UNUSABLE
    return 0


def _tell(run: "Run", location: str) -> None:
    """Say what is going to be called, and what it will take."""
    models = {run.change.model or case.model or "?" for case in run.cases}
    calls = f"{run.calls_left} call{'' if run.calls_left == 1 else 's'}"
    _say(
        f"{calls} of {', '.join(sorted(models))}, roughly {run.estimate_tokens():,} "
        f"tokens; replay {run.id}, recorded in {location}"
    )
    for case, reason in run.skipped:
        _say(f"left out: case {case.id}: {reason}")


def _agrees() -> bool:
    if not sys.stdin.isatty():
        raise ValueError("there is no terminal to ask on: give --yes")
    print("Go on? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in ("y", "yes")


@contextmanager
def _open_location(args: argparse.Namespace) -> Iterator[tuple[str, str]]:
    """Yield where to record, and what to call it.

    A database is opened as a local Libretto would, for as long as the replay takes.
    """
    from ..improve._sources import hide_secrets, is_database, is_url
    from ..improve._stores import find_local

    # A spool of the process that was recorded is none of a replay's business.
    for name in ("LIBRETTO_SPOOL_DIR", "LIBRETTO_SPOOL_ONLY"):
        os.environ.pop(name, None)
    to, source = args.to, args.cases
    if to is None and is_url(source):
        to = source
    if to is None:
        to = find_local()
    if to is None and is_database(Path(source)):
        to = source
    if to is None:
        to = FILE
    if not _is_database(to):
        yield to, hide_secrets(to)
        return
    from .. import _collector

    with _collector.running(to) as libretto:
        yield libretto.url, to


def _is_database(to: str) -> bool:
    """Say whether a place to record to is a database, by its name or what it holds."""
    from ..improve._sources import is_database, is_url

    if is_url(to):
        return False
    return to.endswith(_DATABASES) or (Path(to).is_file() and is_database(Path(to)))


def parse_parameter(text: str) -> tuple[str, Any]:
    """Read ``NAME=VALUE``; what is not JSON is a text.

    Raises:
        ValueError: There is no name, or no ``=``.
    """
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise ValueError(f"--set takes NAME=VALUE, not {text!r}")
    try:
        return name, json.loads(value)
    except (ValueError, RecursionError):
        return name, value


def load_template(name: str) -> Any:
    """Return a template: of a file, or of ``module:NAME``.

    Raises:
        ValueError: It is neither, or no template; the message says why.
    """
    from .._recognition.known import is_chat

    path = Path(name)
    if path.is_file():
        template = _read_template(path)
    elif ":" in name and not path.suffix and os.sep not in name:
        template = load_object(name)
        template = getattr(template, "template", template)
    else:
        raise ValueError(
            f"there is no template {name!r}: neither a file nor module:NAME"
        )
    if isinstance(template, str) or (is_chat(template) and template):
        return template if isinstance(template, str) else list(template)
    raise ValueError(
        f"{name} is not a template: it must be a text, or a list of messages, "
        f"not {type(template).__name__}"
    )


def _read_template(path: Path) -> Any:
    try:
        text = path.read_text("utf-8-sig")
        # Editors put a line end after the last line.
        is_json = path.suffix == ".json"
        return json.loads(text) if is_json else text.removesuffix("\n")
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"{path} is not a template: {exc}") from exc


def _say(text: str) -> None:
    print(printable(text), file=sys.stderr)
