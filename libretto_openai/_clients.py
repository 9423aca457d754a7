"""openai's clients with Libretto switched on.

Each is the openai class plus ``libretto=``, ``send_feedback()`` and ``update_chain()``.
Creating one records that client's calls only.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import UUID

import libretto_instrument
from libretto_instrument import LibrettoConfig
from libretto_instrument._config.config import get_client_config

if TYPE_CHECKING:
    # The same classes as type checkers should see them: `libretto=` where it is taken.
    from . import _typed_clients as bases
else:
    import openai as bases

_ClientT = TypeVar("_ClientT", bound=type[Any])


def with_libretto(kind: _ClientT) -> _ClientT:
    """Let each client of a class be recorded, and its copies, too."""
    owner: Any = kind

    def __init__(  # noqa: N807
        self: Any, *, libretto: LibrettoConfig | None = None, **options: Any
    ) -> None:
        """Make a client.

        Args:
            self: The client.
            libretto: Its configuration; what it leaves out comes from `install()` and
                the environment.
            **options: The arguments of the openai class.
        """
        super(owner, self).__init__(**options)
        libretto_instrument.attach(self, libretto)

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
        config = get_client_config(self)
        # openai calls the class to make the copy, and hands these on to it.
        extra = {**(_extra_kwargs or {}), "libretto": libretto or config}
        return super(owner, self).copy(_extra_kwargs=extra, **options)

    for method in (__init__, copy):
        # By this name Python's own errors call it.
        method.__qualname__ = f"{kind.__qualname__}.{method.__name__}"
        setattr(kind, method.__name__, method)
    owner.with_options = copy
    return kind


def send_feedback(
    self: Any,
    feedback_key: str | UUID | None,
    *,
    rating: float | None = None,
    better_response: str | None = None,
    is_deleted: bool = False,
) -> None:
    """Rate or correct a response of this client.

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
    """Report the result of a chain of this client's calls.

    Returns at once, on the async clients too; it is delivered in the background. See
    `libretto_instrument.update_chain` for arguments and errors.
    """
    libretto_instrument.update_chain(chain_id, result, client=self)


@with_libretto
class Client(bases.OpenAI):
    """`openai.OpenAI` whose calls are recorded.

    Takes the arguments of `openai.OpenAI`, and ``libretto``, the configuration of this
    client; what that leaves out comes from `install()` and the environment.
    """

    send_feedback = send_feedback
    update_chain = update_chain


@with_libretto
class AsyncClient(bases.AsyncOpenAI):
    """`openai.AsyncOpenAI` whose calls are recorded; see `Client`."""

    send_feedback = send_feedback
    update_chain = update_chain


@with_libretto
class AzureOpenAI(bases.AzureOpenAI):
    """`openai.AzureOpenAI` whose calls are recorded; see `Client`."""

    send_feedback = send_feedback
    update_chain = update_chain


@with_libretto
class AsyncAzureOpenAI(bases.AsyncAzureOpenAI):
    """`openai.AsyncAzureOpenAI` whose calls are recorded; see `Client`."""

    send_feedback = send_feedback
    update_chain = update_chain
