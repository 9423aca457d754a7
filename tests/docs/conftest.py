"""Fixtures for the pages."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pages import RunPage
from support.backend import Backend

from libretto_instrument.demo import OfflineModel

HERE = Path(__file__).parent


@pytest.fixture
def run_page(
    model: OfflineModel,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> RunPage:
    """Return what runs the Python blocks of a page, and fails if one does."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
    monkeypatch.setenv("LIBRETTO_API_KEY", "key")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    path = [str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))

    def run(page: Path) -> None:
        done = subprocess.run(
            [sys.executable, str(HERE / "run_page.py"), str(page)],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout

    return run
