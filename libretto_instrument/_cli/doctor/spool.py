"""Whether events can wait on disk, what waits there, and whether somebody delivers."""

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
from .report import Report

_RELAY = "libretto-instrument relay --spool {}"
_STATES = {
    "refused": ("foreign-spool", "is not used"),
    "unreadable": ("unreadable-spool", "cannot be read now"),
}


def look_at_spool(report: Report, known: Mapping[str, Any]) -> None:
    """Write down the state of the spool and of the relay, if there is to be one."""
    directory, relayed_only = known.get("spool_dir"), known.get("spool_only", False)
    if not directory:
        report.fact("spool", "directory", None)
        if relayed_only:
            report.problem(
                "no-spool",
                "Events are to be left to a relay, but no spool is named.",
                f"Set {ENV_VARS['spool_dir']}, or unset {ENV_VARS['spool_only']}.",
            )
        return
    path = Path(directory).absolute()
    report.fact("spool", "directory", str(path))
    exists = _look_at_directory(report, path)
    found = inspect_spool(path)
    if exists:
        report.fact("spool", "state", found.state)
    if found.state in _STATES and _is_a_directory(path):
        name, what = _STATES[found.state]
        report.problem(
            name,
            f"{found.path} {what} ({found.reason}).",
            f"Name another directory in {ENV_VARS['spool_dir']}, or move it away.",
        )
    if not exists:
        return
    _look_at_contents(report, path, found)
    is_relayed = is_relay_running(path)
    report.fact("spool", "relay at work", is_relayed)
    if relayed_only and is_relayed is False:
        report.problem(
            "no-relay",
            f"Events are left to a relay, but none is at work on {path}.",
            f"Start one: {_RELAY.format(path)}",
        )


def _look_at_directory(report: Report, path: Path) -> bool:
    """Write down whether it can be written to; say whether there is one to look at."""
    there = _find_existing(path)
    if not there.is_dir():
        report.problem(
            "spool-not-a-directory",
            f"{there} is not a directory.",
            f"Name another directory in {ENV_VARS['spool_dir']}, or move it away.",
        )
        return False
    if (reason := _refusal(there)) is not None:
        report.problem(
            "spool-not-writable",
            f"{there} cannot be written to ({reason}).",
            f"Give this user the right to, or name another directory in "
            f"{ENV_VARS['spool_dir']}.",
        )
    report.fact("spool", "exists", there == path)
    if there == path and os.name == "posix":
        mode = stat.S_IMODE(path.stat().st_mode)
        report.fact("spool", "mode", f"{mode:03o}")
        if mode & 0o077:
            report.warn(
                "spool-open-to-others",
                f"{path} is open to other users of this machine.",
                f"Run: chmod 700 {path}",
            )
    return there == path


def _find_existing(path: Path) -> Path:
    return next(place for place in (path, *path.parents) if os.path.lexists(place))


def _is_a_directory(path: Path) -> bool:
    return _find_existing(path).is_dir()


def _refusal(directory: Path) -> str | None:
    """Return why no file can be made in a directory; None if one can."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            return None
    except OSError as exc:
        return exc.strerror or type(exc).__name__


def _look_at_contents(report: Report, path: Path, found: SpoolInspection) -> None:
    stats = found.stats
    if stats is None:
        return
    for name, value in asdict(stats).items():
        report.fact("spool", name, value)
    if stats.oldest_at is not None:
        waited = max(0.0, time() - stats.oldest_at)
        report.fact("spool", "oldest_seconds", round(waited))
    if stats.dead_letters:
        report.warn(
            "refused-events",
            f"{stats.dead_letters} messages were refused, and are kept.",
            f"See why: libretto-instrument spool ls --spool {path}",
        )
    if stats.dropped:
        lost = ", ".join(f"{count} {reason}" for reason, count in stats.dropped.items())
        report.warn(
            "lost-events",
            f"The spool has dropped messages ({lost}).",
            f"See to it that somebody delivers: {_RELAY.format(path)}",
        )
