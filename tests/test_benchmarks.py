"""The benchmarks keep up with the package: what they name is there."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parent.parent / "benchmarks"

FIND_STEPS = """
import parts
for step in parts.STEPS.values():
    owner, name = parts.find_step(*step)
    assert callable(vars(owner)[name]), step
"""


@pytest.mark.skipif(not BENCHMARKS.is_dir(), reason="benchmarks are not distributed")
def test_each_step_is_a_function() -> None:
    """Each step whose time `parts.py` takes is a function of the package."""
    path = os.pathsep.join([str(BENCHMARKS), *sys.path])
    subprocess.run(
        [sys.executable, "-c", FIND_STEPS],
        env={**os.environ, "PYTHONPATH": path},
        check=True,
        timeout=120,
    )
