"""Checks the spool directory, its contents, and whether a relay is running."""

import os
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path
from time import time
from typing import Any

from attrs import asdict

from ..._config.environment import ENV_VARS
from ..._spool import SpoolInspection, inspect_spool, is_relay_running
from .report import DoctorReport

_RELAY_HINT = "libretto-instrument relay --spool {}"
_STATES = {
    "refused": ("foreign-spool", "is not used"),
    "unreadable": ("unreadable-spool", "cannot be read now"),
}


def check_spool(report: DoctorReport, known: Mapping[str, Any]) -> None:
    """Check the spool and the relay, if a spool is configured."""
    directory, relayed_only = known.get("spool_dir"), known.get("spool_only", False)
    if not directory:
        report.add_fact("spool", "directory", None)
        if relayed_only:
            report.add_problem(
                "no-spool",
                "Events are to be left to a relay, but no spool is named.",
                f"Set {ENV_VARS['spool_dir']}, or unset {ENV_VARS['spool_only']}.",
            )
        return
    path = Path(directory).absolute()
    report.add_fact("spool", "directory", str(path))
    exists = _check_directory(report, path)
    found = inspect_spool(path)
    if exists:
        report.add_fact("spool", "state", found.state)
    if found.state in _STATES and _find_existing(path).is_dir():
        name, what = _STATES[found.state]
        report.add_problem(
            name,
            f"{found.path} {what} ({found.reason}).",
            f"Name another directory in {ENV_VARS['spool_dir']}, or move it away.",
        )
    if not exists:
        return
    _check_contents(report, path, found)
    is_relayed = is_relay_running(path)
    report.add_fact("spool", "relay at work", is_relayed)
    if relayed_only and is_relayed is False:
        report.add_problem(
            "no-relay",
            f"Events are left to a relay, but none is at work on {path}.",
            f"Start one: {_RELAY_HINT.format(path)}",
        )


def _check_directory(report: DoctorReport, path: Path) -> bool:
    """Write down whether it can be written to; say whether there is one to look at."""
    there = _find_existing(path)
    if not there.is_dir():
        report.add_problem(
            "spool-not-a-directory",
            f"{there} is not a directory.",
            f"Name another directory in {ENV_VARS['spool_dir']}, or move it away.",
        )
        return False
    if (reason := _access_problem(there)) is not None:
        report.add_problem(
            "spool-not-writable",
            f"{there} cannot be written to ({reason}).",
            f"Give this user the right to, or name another directory in "
            f"{ENV_VARS['spool_dir']}.",
        )
    report.add_fact("spool", "exists", there == path)
    if there == path and os.name == "posix":
        mode = stat.S_IMODE(path.stat().st_mode)
        report.add_fact("spool", "mode", f"{mode:03o}")
        if mode & 0o077:
            report.add_warning(
                "spool-open-to-others",
                f"{path} is open to other users of this machine.",
                f"Run: chmod 700 {path}",
            )
    return there == path


def _find_existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if os.path.lexists(each))


def _access_problem(directory: Path) -> str | None:
    """Return why no file can be made in a directory; None if one can."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            return None
    except OSError as exc:
        return exc.strerror or type(exc).__name__


def _check_contents(report: DoctorReport, path: Path, found: SpoolInspection) -> None:
    stats = found.stats
    if stats is None:
        return
    for name, value in asdict(stats).items():
        report.add_fact("spool", name, value)
    if stats.oldest_at is not None:
        waited = max(0.0, time() - stats.oldest_at)
        report.add_fact("spool", "oldest_seconds", round(waited))
    if stats.dead_letters:
        report.add_warning(
            "refused-events",
            f"{stats.dead_letters} messages were refused, and are kept.",
            f"See why: libretto-instrument spool ls --spool {path}",
        )
    if stats.dropped:
        lost = ", ".join(f"{count} {reason}" for reason, count in stats.dropped.items())
        report.add_warning(
            "lost-events",
            f"The spool has dropped messages ({lost}).",
            f"Make sure that a process delivers: {_RELAY_HINT.format(path)}",
        )
