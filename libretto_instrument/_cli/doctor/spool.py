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
from ...delivery.inspection import SpoolLook, is_relayed, look
from .report import Report

_RELAY = "libretto-instrument relay --spool {}"
_STATES = {
    "foreign": ("foreign-spool", "is {reason}"),
    "damaged": ("damaged-spool", "is damaged or no spool ({reason})"),
    "unreadable": ("unreadable-spool", "cannot be read now ({reason})"),
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
    if not _look_at_directory(report, path):
        return
    found = look(path)
    report.fact("spool", "state", found.state)
    if found.is_former:
        report.fact("spool", "of an earlier version", True)
    if found.state in _STATES:
        name, what = _STATES[found.state]
        report.problem(
            name,
            f"{found.path} {what.format(reason=found.reason)}.",
            f"Name another directory in {ENV_VARS['spool_dir']}, or move it away.",
        )
    _look_at_contents(report, path, found)
    relayed = is_relayed(path)
    report.fact("spool", "relay at work", relayed)
    if relayed_only and relayed is False:
        report.problem(
            "no-relay",
            f"Events are left to a relay, but none is at work on {path}.",
            f"Start one: {_RELAY.format(path)}",
        )


def _look_at_directory(report: Report, path: Path) -> bool:
    """Write down whether it can be written to; say whether there is one to look at."""
    there = next(place for place in (path, *path.parents) if os.path.lexists(place))
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


def _refusal(directory: Path) -> str | None:
    """Return why no file can be made in a directory; None if one can."""
    try:
        with tempfile.TemporaryFile(dir=directory):
            return None
    except OSError as exc:
        return exc.strerror or type(exc).__name__


def _look_at_contents(report: Report, path: Path, found: SpoolLook) -> None:
    moved = sorted(path.glob("spool-*.db.damaged-*"))
    if moved := [one for one in moved if not one.name.endswith(("-wal", "-shm"))]:
        report.warn(
            "spool-was-damaged",
            f"{len(moved)} damaged spools were moved out of the way, the last to "
            f"{moved[-1]}.",
            "Delete them if nothing in them is of use any more.",
        )
    stats = found.stats
    if stats is None:
        return
    for name, value in asdict(stats).items():
        report.fact("spool", name, value)
    if stats.oldest_at is not None:
        waited = max(0.0, time() - stats.oldest_at)
        report.fact("spool", "oldest_seconds", round(waited))
    if stats.aside:
        report.warn(
            "refused-events",
            f"{stats.aside} messages were refused, and are kept.",
            f"See why: libretto-instrument spool ls --spool {path}",
        )
    if stats.lost:
        lost = ", ".join(f"{count} {reason}" for reason, count in stats.lost.items())
        report.warn(
            "lost-events",
            f"The spool's bounds pushed messages out ({lost}).",
            f"See to it that somebody delivers: {_RELAY.format(path)}",
        )
