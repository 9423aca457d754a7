"""Checks that required packages are installed, and recent enough."""

import platform
import re
import sys
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from ..._util.version import __version__
from .report import DoctorReport

_DIST_NAME = "libretto-instrument"
_REQUIREMENT = re.compile(r"([\w.-]+)\s*>=\s*([\d.]+)\s*$")
#: Reported if installed, but not required.
_OPTIONAL_PACKAGES = ("httpx2", "pydantic")
#: What the extra ``pii`` brings, by the name to import.
_PII = {"phonenumbers": "phonenumberslite", "stdnum": "python-stdnum"}


def check_packages(report: DoctorReport) -> None:
    """Check the versions of the required packages."""
    report.add_fact(
        "installed", "python", f"{platform.python_version()} {sys.executable}"
    )
    report.add_fact(
        "installed", _DIST_NAME, f"{__version__} {Path(__file__).parents[2]}"
    )
    bounds = _bounds()
    if not bounds:
        report.add_warning(
            "not-installed",
            f"{_DIST_NAME} runs from a folder and is not installed, so its "
            "requirements are not known.",
            f"Run: pip install {_DIST_NAME}",
        )
    for name, bound in bounds.items():
        found, shown = _version(name), None
        if found is None:
            report.add_problem(
                f"{name}-missing",
                f"The package {name} is not installed.",
                f"Run: {sys.executable} -m pip install {name}",
            )
        elif _numbers(found) < _numbers(bound):
            shown = f"{found} (too old: it takes {bound})"
            report.add_problem(
                f"{name}-too-old",
                f"{name} {found} is older than {bound}, the oldest that works.",
                f"Run: {sys.executable} -m pip install --upgrade {name}",
            )
        else:
            shown = f"{found} ({bound} or newer is needed)"
        report.add_fact("installed", name, shown)
    for name in _OPTIONAL_PACKAGES:
        if found := _version(name):
            report.add_fact("installed", name, found)


def check_redaction(report: DoctorReport, wanted: bool) -> None:
    """Check that redaction can run."""
    missing = [package for name, package in _PII.items() if find_spec(name) is None]
    report.add_fact("redaction", "asked for", wanted)
    report.add_fact(
        "redaction", "extra pii", "not installed" if missing else "installed"
    )
    if wanted and missing:
        report.add_problem(
            "no-pii-extra",
            f"Personal data is to be taken out, but {' and '.join(missing)} is not "
            "installed: install() fails.",
            f"Run: {sys.executable} -m pip install '{_DIST_NAME}[pii]'",
        )


def is_installed(name: str) -> bool:
    """Say whether a package is installed."""
    return _version(name) is not None


def _bounds() -> dict[str, str]:
    """Return the oldest version of each package that is needed."""
    try:
        lines = metadata.requires(_DIST_NAME) or []
    except metadata.PackageNotFoundError:
        return {}
    return {match[1]: match[2] for line in lines if (match := _REQUIREMENT.match(line))}


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(number) for number in found[0].split(".")] if found else []
    while numbers and not numbers[-1]:
        numbers.pop()  # 1.0 is 1.
    return tuple(numbers)
