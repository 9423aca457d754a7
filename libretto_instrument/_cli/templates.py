"""The ``templates`` command: templates proposed from calls, and applied to them."""

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .._util.terminal import printable
from .cases import find_source, with_warnings

if TYPE_CHECKING:
    from .._recognition.propose import Proposal

#: Events that are looked at.
MAX_EVENTS = 20_000
_MAX_SHOWN_CHARS = 2_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``templates``."""
    add = parser.add_argument
    add(
        "--from",
        dest="source",
        metavar="SOURCE",
        help="a local Libretto's database or address, or a JSON-lines log of calls "
        "(default: libretto.db, or else the local Libretto that answers)",
    )
    add("--json", action="store_true", help="write a file that install() takes")
    add(
        "--min-calls",
        type=int,
        default=3,
        metavar="N",
        help="propose what at least this many calls were made from",
    )
    add(
        "--apply",
        dest="known",
        metavar="TEMPLATES",
        help="read the database's events again with the templates of this JSON file, "
        "folder or module",
    )


def run(args: argparse.Namespace) -> int:
    """Propose templates, or apply known ones to a database."""
    source = args.source or find_source()
    if args.known is not None:
        return _apply(source, args.known)
    from .._recognition.apply import read_call
    from .._recognition.propose import propose
    from ..improve._sources import recorded_events

    if args.min_calls < 2:
        raise ValueError(f"invalid number of calls {args.min_calls}: at least 2")
    events = with_warnings(lambda: list(recorded_events(source, MAX_EVENTS)))
    calls = [call for event in events if (call := read_call(event)) is not None]
    proposals = propose(calls, args.min_calls)
    if args.json:
        templates = {each.name: each.template for each in proposals}
        _print(json.dumps(templates, indent=2, ensure_ascii=False))
    else:
        for proposal in proposals:
            _print(printable(_describe(proposal)))
    print(
        f"{len(proposals)} proposed from {len(calls)} calls without a template.",
        file=sys.stderr,
    )
    if proposals and not args.json:
        print(
            "Write them with --json > templates.json, look them over, and give "
            'install(templates="templates.json").',
            file=sys.stderr,
        )
    return 0


def _apply(source: str, known: str) -> int:
    from .._recognition.known import load_templates
    from ..improve._sources import hide_secrets, is_database

    if not Path(source).is_file() or not is_database(Path(source)):
        shown = hide_secrets(source)
        raise ValueError(f"--apply needs a local Libretto's database, not {shown}")
    try:
        templates = load_templates(known)
    except (ImportError, TypeError) as exc:
        raise ValueError(str(exc)) from exc
    try:
        from .._collector.rereading import reread_database
    except ModuleNotFoundError as exc:
        raise ValueError(f"--apply needs the extra collector: {exc}") from exc

    progress = reread_database(Path(source), templates)
    print(
        f"{progress.recognized} of {progress.events} events without a template have "
        "one now."
    )
    return 0


def _describe(proposal: "Proposal") -> str:
    ambiguous = f", {proposal.ambiguous} ambiguous" if proposal.ambiguous else ""
    lines = [f"{proposal.name} ({proposal.calls} calls{ambiguous})"]
    template: Any = proposal.template
    if isinstance(template, str):
        template = [{"role": "prompt", "content": template}]
    for message in template:
        content = message.get("content")
        if not isinstance(content, str):
            content = json.dumps(content, ensure_ascii=False)
        if len(content) > _MAX_SHOWN_CHARS:
            content = f"{content[:_MAX_SHOWN_CHARS]} …"
        indented = content.replace("\n", "\n    ")
        lines += [f"  {message.get('role')}:", f"    {indented}"]
    return "\n".join((*lines, ""))


def _print(text: str) -> None:
    # Half a surrogate pair, which some gateway sent, is written as JSON writes it.
    print(text.encode(errors="backslashreplace").decode())
