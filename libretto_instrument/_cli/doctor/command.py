"""The command: in which order to look, and how it is told."""

import argparse
import json
from typing import Any, TextIO

from attrs import asdict

from ..._version import __version__
from ..argtypes import seconds
from ..run import add_setting_options, read_setting_options
from .report import PROBLEM, Report

__all__ = ["add_arguments", "doctor_command"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: those of ``run``, as if that was to follow, and our own."""
    add_setting_options(parser)
    parser.add_argument("--json", action="store_true", help="tell it to a program")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait for an address to answer",
    )


def doctor_command(args: argparse.Namespace, out: TextIO) -> int:
    """Look at everything, tell what was found.

    Args:
        args: The options.
        out: Where to tell it.

    Returns:
        The exit status: 0 if there are no problems, else 1. Warnings are none.
    """
    report = examine(args)
    if args.json:
        told = {
            "version": __version__,
            "well": report.well,
            "findings": [asdict(finding) for finding in report.findings],
            **report.facts,
        }
        print(json.dumps(told, indent=2, default=str), file=out)
    else:
        _print(report, out)
    return 0 if report.well else 1


def examine(args: argparse.Namespace) -> Report:
    """Look at everything."""
    from .endpoint import look_at_endpoints
    from .packages import is_there, look_at_packages, look_at_redaction
    from .patching import look_at_openai
    from .settings import look_at_settings
    from .spool import look_at_spool

    report = Report()
    look_at_packages(report)
    if is_there("openai"):
        look_at_openai(report)
    known = look_at_settings(report, dict(read_setting_options(args)))
    look_at_redaction(report, bool(known.get("redact_pii")))
    look_at_endpoints(report, args.timeout, is_there("httpx") or is_there("httpx2"))
    look_at_spool(report, known)
    return report


def _print(report: Report, out: TextIO) -> None:
    for section, facts in report.facts.items():
        print(section, file=out)
        width = max(map(len, facts))
        for name, value in facts.items():
            print(f"  {name:<{width}}  {_shown(value)}", file=out)
        print(file=out)
    for finding in report.findings:
        mark = "PROBLEM" if finding.level == PROBLEM else "Warning"
        print(f"{mark} {finding.id}: {finding.message}", file=out)
        print(f"  {finding.remedy}\n", file=out)
    problems = sum(finding.level == PROBLEM for finding in report.findings)
    if problems:
        print(f"{problems} {'problem' if problems == 1 else 'problems'}.", file=out)
    else:
        print("No problems.", file=out)


def _shown(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if not isinstance(value, dict):
        return str(value)
    if "from" in value:
        return f"{_shown(value['value'])} ({value['from']})"
    if "address" in value:
        told = [value["address"]]
        if value.get("status"):
            told.append(f"answers (HTTP {value['status']})")
        if value.get("fault"):
            told.append(f"no answer ({value['fault']})")
        if value.get("proxy"):
            told.append(f"by the proxy {value['proxy']}")
        return ", ".join(told)
    return ", ".join(f"{name}: {_shown(inner)}" for name, inner in value.items())
