"""Records every call of the openai package and delivers it to Libretto.

    import libretto_instrument as libretto

    libretto.install(api_key="…", prompt_template_name="default-name")

Importing this does nothing else: no patch, no thread, no connection.
"""

from typing import TYPE_CHECKING, Any

from ._capture import feedback_key
from ._config.config import LibrettoConfig, LibrettoCreateParams
from ._config.propagate import propagate
from ._config.scope import Scope, scope
from ._runtime.chains import Chain, chain, update_chain
from ._runtime.feedback import send_feedback
from ._runtime.install import (
    attach,
    flush,
    install,
    installed,
    shutdown,
    stats,
    uninstall,
)
from ._templates import TemplateChat, TemplateError, TemplateString, TemplateText
from ._util.version import __version__

if TYPE_CHECKING:
    from ._delivery import Stats

__all__ = [
    "Chain",
    "LibrettoConfig",
    "LibrettoCreateParams",
    "Scope",
    "Stats",
    "TemplateChat",
    "TemplateError",
    "TemplateString",
    "TemplateText",
    "__version__",
    "attach",
    "chain",
    "feedback_key",
    "flush",
    "install",
    "installed",
    "propagate",
    "scope",
    "send_feedback",
    "shutdown",
    "stats",
    "uninstall",
    "update_chain",
]


if not TYPE_CHECKING:  # Or else checkers would take any name for one of ours.

    def __getattr__(name: str) -> Any:
        # Nothing of the delivery is imported before something was recorded.
        if name == "Stats":
            from ._delivery import Stats

            return Stats
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
