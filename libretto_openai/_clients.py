"""openai's clients with Libretto switched on.

Each is the openai class plus ``libretto=``, ``send_feedback()`` and ``update_chain()``.
Making one records that client's calls and nobody else's.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

import openai

import libretto_instrument
from libretto_instrument import LibrettoConfig
from libretto_instrument._config import config_of_client


def _copy_of(base: Any) -> Callable[..., Any]:
    """Return the ``copy()`` that goes with ``base`` and keeps the configuration."""

    def copy(
        self: Any,
        *,
        libretto: LibrettoConfig | None = None,
        _extra_kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Make a client with the same options, but for those given here.

        Args:
            self: The client to copy.
            libretto: Another configuration than this client's.
            **options: The arguments of the openai client's ``copy()``.
        """
        config = config_of_client(self)
        # openai calls the class to make the copy, and hands these on to it.
        extra = {**(_extra_kwargs or {}), "libretto": libretto or config}
        return base.copy(self, _extra_kwargs=extra, **options)

    return copy


def send_feedback(
    self: Any,
    feedback_key: str | UUID,
    *,
    rating: float | None = None,
    better_response: str | None = None,
    is_deleted: bool = False,
) -> None:
    """Tell Libretto what somebody thought of a response of this client.

    Returns at once, on the async clients too; it is delivered in the background. See
    `libretto_instrument.send_feedback` for arguments and errors.
    """
    libretto_instrument.send_feedback(
        feedback_key,
        rating=rating,
        better_response=better_response,
        is_deleted=is_deleted,
        client=self,
    )


def update_chain(self: Any, chain_id: str | UUID, result: Any) -> None:
    """Tell Libretto what a chain of this client's calls came to.

    Returns at once, on the async clients too; it is delivered in the background. See
    `libretto_instrument.update_chain` for arguments and errors.
    """
    libretto_instrument.update_chain(chain_id, result, client=self)


class Client(openai.OpenAI):
    """`openai.OpenAI` whose calls are recorded."""

    def __init__(
        self, *, libretto: LibrettoConfig | None = None, **options: Any
    ) -> None:
        """Make a client; ``options`` are those of `openai.OpenAI`.

        Args:
            libretto: The client's configuration; what it leaves out comes from
                `install()` and the environment.
            **options: The arguments of the openai class.
        """
        super().__init__(**options)
        libretto_instrument.attach(self, libretto)

    send_feedback = send_feedback
    update_chain = update_chain
    if not TYPE_CHECKING:
        copy = with_options = _copy_of(openai.OpenAI)


class AsyncClient(openai.AsyncOpenAI):
    """`openai.AsyncOpenAI` whose calls are recorded; see `Client`."""

    def __init__(
        self, *, libretto: LibrettoConfig | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        libretto_instrument.attach(self, libretto)

    send_feedback = send_feedback
    update_chain = update_chain
    if not TYPE_CHECKING:
        copy = with_options = _copy_of(openai.AsyncOpenAI)


class AzureOpenAI(openai.AzureOpenAI):
    """`openai.AzureOpenAI` whose calls are recorded; see `Client`."""

    def __init__(
        self, *, libretto: LibrettoConfig | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        libretto_instrument.attach(self, libretto)

    send_feedback = send_feedback
    update_chain = update_chain
    if not TYPE_CHECKING:
        copy = with_options = _copy_of(openai.AzureOpenAI)


class AsyncAzureOpenAI(openai.AsyncAzureOpenAI):
    """`openai.AsyncAzureOpenAI` whose calls are recorded; see `Client`."""

    def __init__(
        self, *, libretto: LibrettoConfig | None = None, **options: Any
    ) -> None:
        super().__init__(**options)
        libretto_instrument.attach(self, libretto)

    send_feedback = send_feedback
    update_chain = update_chain
    if not TYPE_CHECKING:
        copy = with_options = _copy_of(openai.AsyncAzureOpenAI)
