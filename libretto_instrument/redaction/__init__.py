"""Takes personal data out of what is sent and stored.

A `Redactor` works on texts; `BodyRedactor` walks a finished body with one.
`default_redactor` gives the built-in engine, which needs the extra ``pii``::

    pip install 'libretto-instrument[pii]'
"""

from ._entities import Entity, Redactor
from ._walk import REDACTION_FAILED, BodyRedactor

__all__ = ["REDACTION_FAILED", "BodyRedactor", "Entity", "Redactor", "default_redactor"]

_INSTALL = "pip install 'libretto-instrument[pii]'"


def default_redactor() -> Redactor:
    """Return the built-in redactor: rules and word lists, no model and no network.

    Raises:
        ImportError: The extra ``pii`` is not installed; the message holds the line that
            installs it.
    """
    try:
        from ._engine import Engine
    except ModuleNotFoundError as exc:
        if exc.name is None or exc.name.split(".")[0] not in ("phonenumbers", "stdnum"):
            raise
        msg = f"Redacting personal data needs the extra 'pii': {_INSTALL}"
        raise ImportError(msg, name=exc.name) from exc
    return Engine()
