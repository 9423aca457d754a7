"""Fixtures for the tests of redaction."""

import pytest

from libretto_instrument.redaction import BodyRedactor, Redactor, default_redactor


@pytest.fixture(scope="session")
def redactor() -> Redactor:
    """The built-in redactor; it holds no state."""
    return default_redactor()


@pytest.fixture
def bodies(redactor: Redactor) -> BodyRedactor:
    """A body redactor with the built-in redactor and an empty cache."""
    return BodyRedactor(redactor)
