"""Feedback on responses: `send_feedback()`."""

from typing import TYPE_CHECKING, Any
from uuid import UUID

from .._config.checks import id_to_str
from .._config.config import get_client_config
from .._config.settings import CallSettings
from .._processing.process import Submission
from .._util import errors
from .state import runtime

if TYPE_CHECKING:
    from .._events import Payload


def send_feedback(
    feedback_key: str | UUID | None,
    *,
    rating: float | None = None,
    better_response: str | None = None,
    is_deleted: bool = False,
    client: Any = None,
) -> None:
    """Rate or correct a recorded response. Delivered in the background.

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
    key = id_to_str(feedback_key)
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
    settings = settings_for_report(client, "Feedback")
    if settings is None:
        return
    from .._events import Feedback

    submit_report(
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


def submit_report(report: "Payload", settings: CallSettings, size: int) -> None:
    """Deliver a report that the program made itself. Never raises.

    Args:
        report: The feedback or chain result.
        settings: The settings that hold for it.
        size: The length of the program's own words, in bytes.
    """
    if not settings.enabled:
        return
    try:
        runtime.submit(Submission(report, settings, size))
    except Exception as exc:
        errors.log_internal_error(exc, "api.submit")


def settings_for_report(client: Any, what: str) -> CallSettings | None:
    """Return the settings of a report; None, with a warning, where it can't go out."""
    settings = runtime.settings_here(get_client_config(client))
    if settings.api_key is not None or settings.delivery.exporters:
        return settings
    errors.warn_once(
        "no key for " + what,
        "%s was not sent: there is no Libretto API key. Set LIBRETTO_API_KEY, or give "
        "api_key.",
        what,
    )
    return None
