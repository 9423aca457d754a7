"""The machine that the benchmarks ran on."""

import os
import platform
from datetime import datetime, timezone
from pathlib import Path


def describe() -> str:
    """Return processor, cores, Python, system and day, in a line."""
    return (
        f"{_processor()}, {os.cpu_count()} cores, "
        f"{platform.python_implementation()} {platform.python_version()}, "
        f"{platform.system()} on {platform.machine()}, "
        f"{datetime.now(timezone.utc):%Y-%m-%d}"
    )


def load() -> str:
    """Return how busy the machine is with other things, before anything is measured."""
    return f"load {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except FileNotFoundError:
        return platform.processor() or "an unknown processor"
    named = (line.split(":", 1)[1] for line in lines if line.startswith("model name"))
    return next(named, platform.machine()).strip()
