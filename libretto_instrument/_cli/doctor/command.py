"""The command: runs the checks in order and prints the report."""

import argparse
import json
from typing import Any

from attrs import asdict

from ..._util.terminal import printable
from ..._util.version import __version__
from ..argtypes import non_negative_seconds
from ..run.options import add_setting_options, read_setting_options
from .report import PROBLEM, DoctorReport

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options: those of ``run``, as if that was to follow, and our own."""
    add_setting_options(parser)
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--timeout",
        type=non_negative_seconds,
        default=5.0,
        metavar="SECONDS",
        help="how long to wait for a response",
    )


def run(args: argparse.Namespace) -> int:
    """Run all checks and print the report.

    Returns:
        The exit status: 0 if there are no problems, else 1; warnings do not count.
    """
    report = run_checks(args)
    if args.json:
        document = {
            "version": __version__,
            "ok": report.ok,
            "diagnoses": [asdict(diagnosis) for diagnosis in report.diagnoses],
            **report.facts,
        }
        print(json.dumps(document, indent=2, default=str))
    else:
        _print(report)
    return 0 if report.ok else 1


def run_checks(args: argparse.Namespace) -> DoctorReport:
    """Run all checks."""
    from .endpoint import check_endpoints
    from .packages import check_packages, check_redaction, is_installed
    from .patching import check_openai
    from .settings import check_settings
    from .spool import check_spool

    report = DoctorReport()
    check_packages(report)
    if is_installed("openai"):
        check_openai(report)
    known = check_settings(report, dict(read_setting_options(args)))
    check_redaction(report, bool(known.get("redact_pii")))
    check_endpoints(
        report, args.timeout, is_installed("httpx") or is_installed("httpx2")
    )
    check_spool(report, known)
    return report


def _print(report: DoctorReport) -> None:
    for section, facts in report.facts.items():
        print(section)
        width = max(map(len, facts))
        for name, value in facts.items():
            print(printable(f"  {name:<{width}}  {_format_value(value)}"))
        print()
    for diagnosis in report.diagnoses:
        mark = "PROBLEM" if diagnosis.level == PROBLEM else "Warning"
        print(printable(f"{mark} {diagnosis.id}: {diagnosis.message}"))
        print(printable(f"  {diagnosis.remedy}\n"))
    problems = sum(diagnosis.level == PROBLEM for diagnosis in report.diagnoses)
    if problems:
        print(f"{problems} problem{'' if problems == 1 else 's'}.")
    else:
        print("No problems.")


def _format_value(value: Any) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if not isinstance(value, dict):
        return str(value)
    if "from" in value:
        return f"{_format_value(value['value'])} ({value['from']})"
    if "address" in value:
        parts = [value["address"]]
        if value.get("status"):
            parts.append(f"answers (HTTP {value['status']})")
        if value.get("error_kind"):
            parts.append(f"no answer ({value['error_kind']})")
        if value.get("proxy"):
            parts.append(f"by the proxy {value['proxy']}")
        return ", ".join(parts)
    return ", ".join(f"{name}: {_format_value(inner)}" for name, inner in value.items())
