"""What a program tells Libretto itself: feedback, and what a chain of calls came to."""

from types import TracebackType
from typing import TYPE_CHECKING, Any
from uuid import UUID

from .._config.fields import config_of_client, id_text
from .._config.scope import Scope
from .._config.settings import Settings
from .._processing.process import Submission
from .._util import errors
from .._util.ids import fresh_id
from .._util.json import decode, encode
from .._util.otel_context import trace_as_uuid
from .state import runtime

if TYPE_CHECKING:
    from .._events import Report

_NO_RESULT: Any = object()


def send_feedback(
    feedback_key: str | UUID | None,
    *,
    rating: float | None = None,
    better_response: str | None = None,
    is_deleted: bool = False,
    client: Any = None,
) -> None:
    """Tell Libretto what somebody thought of a response. Delivered in the background.

    Args:
        feedback_key: The key of the response; see `feedback_key()`. For None, which
            that returns if the response was not recorded, nothing is sent.
        rating: From 0 (bad) to 1 (good).
        better_response: What the model should have said.
        is_deleted: Take back the feedback given before.
        client: The client whose configuration says to which project; without one, the
            scope, `install()` and the environment do.

    Raises:
        TypeError: An argument has the wrong type, or the feedback key is empty.
        ValueError: The rating is outside [0, 1], or there is neither a rating nor a
            better response, nor a deletion.
    """
    key = id_text(feedback_key)
    if key is not None and (not isinstance(key, str) or not key):
        raise TypeError(
            "feedback_key must be the key of a recorded response, as "
            f"libretto_instrument.feedback_key(response) returns it, not {key!r}."
        )
    if rating is None and better_response is None and not is_deleted:
        raise ValueError("Give a rating, a better_response, or both.")
    if rating is not None:
        if isinstance(rating, bool) or not isinstance(rating, int | float):
            raise TypeError(f"rating must be a number, not {type(rating).__name__}.")
        if not 0 <= rating <= 1:
            raise ValueError(f"rating must be between 0 and 1, not {rating}.")
    if better_response is not None and not isinstance(better_response, str):
        raise TypeError(
            f"better_response must be a string, not {type(better_response).__name__}."
        )
    if key is None:
        return
    settings = runtime.settings_here(config_of_client(client))
    if settings.api_key is None and not settings.route.exporters:
        _warn_of_no_key("Feedback")
        return
    from .._events import Feedback

    _submit(
        Feedback(
            feedback_key=key,
            api_key=settings.api_key,
            rating=rating,
            better_response=better_response,
            is_deleted=is_deleted,
        ),
        settings,
        len(better_response or ""),
    )


def update_chain(chain_id: str | UUID, result: Any, *, client: Any = None) -> None:
    """Tell Libretto what a chain of calls came to. Delivered in the background.

    Args:
        chain_id: The chain's UUID, as the calls were given it.
        result: Any JSON value, kept as it is now: it may be changed afterwards.
        client: The client whose configuration says to which project; without one, the
            scope, `install()` and the environment do.

    Raises:
        TypeError: ``chain_id`` is no id.
    """
    chain = id_text(chain_id)
    if not isinstance(chain, str) or not chain:
        raise TypeError(f"chain_id must be a string or a UUID, not {chain!r}.")
    settings = runtime.settings_here(config_of_client(client))
    if settings.api_key is None and not settings.route.exporters:
        _warn_of_no_key("The result of a chain")
        return
    from .._events import ChainResult

    try:
        encoded = encode(result)
        kept = decode(encoded)
    except Exception as exc:
        errors.swallow(exc, "api.update_chain")
        return
    _submit(
        ChainResult(chain_id=chain, api_key=settings.api_key, result=kept),
        settings,
        len(encoded),
    )


class Chain(Scope):
    """A scope whose calls belong to one chain.

    Attributes:
        id: The chain's UUID.
        result: What the chain came to; reported on leaving the scope, once set.
    """

    def __init__(
        self, chain_id: str | None, client: Any, from_trace: bool = False
    ) -> None:
        traced = trace_as_uuid() if from_trace else None
        self.id = chain_id or traced or fresh_id()
        self.result: Any = _NO_RESULT
        self._given_id = chain_id
        self._client = client
        self._from_trace = from_trace
        super().__init__({"chain_id": self.id})

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            if self.result is not _NO_RESULT:
                update_chain(self.id, self.result, client=self._client)
        finally:
            super().__exit__(exc_type, exc, traceback)

    def _again(self) -> "Chain":
        return Chain(self._given_id, self._client, self._from_trace)


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
        from_trace: Take the id from OpenTelemetry's current trace: the 32 digits of the
            trace id, written as a UUID. All chains of one trace are one, then. Where
            no span is current the id is a fresh one, so that a program also runs where
            its tracing is off.
        client: The client whose configuration says to which project the result goes;
            without one, the scope, `install()` and the environment do.

    Raises:
        TypeError: ``chain_id`` is no id.
        ValueError: There is a ``chain_id``, and ``from_trace`` asks for another.
    """
    given = id_text(chain_id)
    if given is not None and (not isinstance(given, str) or not given):
        raise TypeError(f"chain_id must be a string or a UUID, not {given!r}.")
    if given is not None and from_trace:
        raise ValueError("Give a chain_id or from_trace=True, not both.")
    return Chain(given, client, from_trace)


def _submit(report: "Report", settings: Settings, size: int) -> None:
    if not settings.enabled:
        return
    try:
        runtime.submit(Submission(report, settings, size))
    except Exception as exc:
        errors.swallow(exc, "api.submit")


def _warn_of_no_key(what: str) -> None:
    errors.warn_once(
        "no key for " + what,
        "%s was not sent: there is no Libretto API key. Set LIBRETTO_API_KEY, or give "
        "api_key.",
        what,
    )
