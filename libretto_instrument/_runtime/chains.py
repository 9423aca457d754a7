"""Chains of calls, and their results: `chain()`, `update_chain()`."""

from typing import Any
from uuid import UUID

from .._config.checks import id_to_str
from .._config.scope import Scope
from .._util import errors
from .._util.ids import new_id
from .._util.json import decode, encode
from .._util.otel_context import trace_id_as_uuid
from .feedback import settings_for_report, submit_report

_UNSET: Any = object()


def update_chain(chain_id: str | UUID, result: Any, *, client: Any = None) -> None:
    """Report the result of a chain of calls. Delivered in the background.

    Args:
        chain_id: The chain's UUID, as its calls have it.
        result: Any JSON value, kept as it is now: it may be changed afterwards.
        client: The client whose configuration says to which project; without one, the
            scope, `install()` and the environment do.

    Raises:
        TypeError: ``chain_id`` is neither a string nor a UUID.
    """
    chain = id_to_str(chain_id)
    if not isinstance(chain, str) or not chain:
        raise TypeError(f"chain_id must be a string or a UUID, not {chain!r}.")
    settings = settings_for_report(client, "The result of a chain")
    if settings is None:
        return
    from .._events import ChainResult

    try:
        encoded = encode(result)
        kept = decode(encoded)
    except Exception as exc:
        errors.log_internal_error(exc, "api.update_chain")
        return
    submit_report(
        ChainResult(chain_id=chain, api_key=settings.api_key, result=kept),
        settings,
        len(encoded),
    )


class Chain(Scope):
    """A scope whose calls belong to one chain.

    Attributes:
        id: The chain's UUID.
        result: The chain's result; reported on leaving the scope if it was set.
    """

    def __init__(
        self, chain_id: str | None, client: Any, from_trace: bool = False
    ) -> None:
        traced = trace_id_as_uuid() if from_trace else None
        self.id = chain_id or traced or new_id()
        self.result: Any = _UNSET
        self._explicit_id = chain_id
        self._client = client
        self._from_trace = from_trace
        super().__init__({"chain_id": self.id})

    def __exit__(self, *exc_info: object) -> None:
        try:
            if self.result is not _UNSET:
                update_chain(self.id, self.result, client=self._client)
        finally:
            super().__exit__(*exc_info)

    def _clone(self) -> "Chain":
        return Chain(self._explicit_id, self._client, self._from_trace)


def chain(
    chain_id: str | UUID | None = None,
    *,
    from_trace: bool = False,
    client: Any = None,
) -> Chain:
    """Return a scope that groups the calls inside it into one chain.

    As a decorator it makes each call of the function a chain of its own, unless
    ``chain_id`` is given.

    Args:
        chain_id: The chain's UUID; a fresh one if left out.
        from_trace: Use OpenTelemetry's current trace id, written as a UUID, so that all
            chains of a trace are one. Without a current span the id is a new one.
        client: The client whose configuration says to which project the result goes;
            without one, the scope, `install()` and the environment do.

    Raises:
        TypeError: ``chain_id`` is neither a string nor a UUID.
        ValueError: Both ``chain_id`` and ``from_trace`` are given.
    """
    explicit = id_to_str(chain_id)
    if explicit is not None and (not isinstance(explicit, str) or not explicit):
        raise TypeError(f"chain_id must be a string or a UUID, not {explicit!r}.")
    if explicit is not None and from_trace:
        raise ValueError("Give a chain_id or from_trace=True, not both.")
    return Chain(explicit, client, from_trace)
