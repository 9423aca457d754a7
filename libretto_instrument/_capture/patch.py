"""One method of openai's that is, or was, patched."""

from typing import TYPE_CHECKING, Any

from attrs import define

if TYPE_CHECKING:
    from .raw_views import RawViewRefresher


@define(eq=False, repr=False)
class Patch:
    """One wrapper of ours that may still be in place.

    Attributes:
        owner: The class.
        method: Its method.
        original: What was found in the class's own namespace.
        wrapper: What was put there.
        raw_views: What keeps the raw views of the class up to date.
        enabled: Whether the wrapper records; disabled, it only passes calls on, without
            their ``libretto=``.
        is_over_foreign: Whether ``original`` is not openai's own function.
    """

    owner: type
    method: str
    original: Any
    wrapper: Any = None
    raw_views: "RawViewRefresher | None" = None
    enabled: bool = True
    is_over_foreign: bool = False

    def enable(self) -> None:
        """Record calls."""
        self.enabled = True
        if self.raw_views is not None:
            self.raw_views.start()

    def disable(self) -> None:
        """Pass calls on."""
        self.enabled = False
        if self.raw_views is not None:
            self.raw_views.stop()
