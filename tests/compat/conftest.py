"""Fixtures for programs built on frameworks that are built on openai."""

from collections.abc import Iterator

import pytest
from sameness import Gateway, gateway


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """Yield an offline model that counts its calls; the environment points to it."""
    with gateway() as serving:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
        monkeypatch.setenv("OPENAI_BASE_URL", serving.url)
        yield serving
