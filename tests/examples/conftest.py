"""Fixtures for the examples."""

import os
from pathlib import Path

import pytest
from programs import EXAMPLES, Programs
from support.backend import Backend

from libretto_instrument.demo import OfflineModel


@pytest.fixture
def programs(
    model: OfflineModel,
    backend: Backend,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Programs:
    """Return what runs the examples, told by the environment what there is."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
    monkeypatch.setenv("LIBRETTO_API_KEY", "key")
    path = [str(EXAMPLES), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path))
    return Programs(tmp_path)
