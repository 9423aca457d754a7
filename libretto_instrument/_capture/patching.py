"""Which methods of openai are recorded, and how they are patched and restored.

One table drives both directions. Each target stands alone: what a version of openai
does not have is skipped. A module that is not imported yet is patched when it is, and
only then is the rest of this package imported.
"""

import importlib
import sys
import threading
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import wrapt

from .._util import errors
from .patch import Patch
from .patched_method import PatchedMethod, PatchedStandIn

if TYPE_CHECKING:
    from .record import Recorder


class Target(NamedTuple):
    """A method that calls a model.

    Attributes:
        module: Where its class is imported from.
        owner: The class whose own method it is.
        method: Its name.
        endpoint: The name of its endpoint in `endpoints.table`.
        wrapper_factory: What makes its wrapper: a name in `wrappers`, or of a client's
            own methods, in `client_requests`.
    """

    module: str
    owner: str
    method: str
    endpoint: str
    wrapper_factory: str


def _sync_and_async(
    module: str, owner: str, endpoint: str, *methods: str
) -> list[Target]:
    """Return the targets of a class and of its async twin."""
    return [
        Target(module, name, method, endpoint, wrapper_factory)
        for method in methods
        for name, wrapper_factory in (
            (owner, "wrap_sync"),
            (f"Async{owner}", "wrap_async"),
        )
    ]


def _helpers(module: str, owner: str, endpoint: str) -> list[Target]:
    """Return the methods that make their request through another target."""
    return [
        Target(module, name, "stream", endpoint, "wrap_stream_helper")
        for name in (owner, f"Async{owner}")
    ]


_CHAT = "openai.resources.chat.completions"
_BETA_CHAT = "openai.resources.beta.chat.completions"
_RESPONSES = "openai.resources.responses"
_BETA_RESPONSES = "openai.resources.beta.responses"

TARGETS: tuple[Target, ...] = (
    *_sync_and_async(_CHAT, "Completions", "CHAT", "create", "parse"),
    *_helpers(_CHAT, "Completions", "CHAT"),
    *_sync_and_async(_BETA_CHAT, "Completions", "CHAT", "create", "parse"),
    *_helpers(_BETA_CHAT, "Completions", "CHAT"),
    *_sync_and_async(
        "openai.resources.completions", "Completions", "COMPLETION", "create"
    ),
    *_sync_and_async(_RESPONSES, "Responses", "RESPONSES", "create", "parse"),
    *_helpers(_RESPONSES, "Responses", "RESPONSES"),
    *_sync_and_async(_BETA_RESPONSES, "Responses", "RESPONSES", "create", "parse"),
    *_helpers(_BETA_RESPONSES, "Responses", "RESPONSES"),
    *_sync_and_async("openai.resources.decisions", "Decisions", "DECISIONS", "create"),
)


_BASE_CLIENT = "openai._base_client"

#: The methods that see what goes around the targets, or know that it cannot be seen.
CLIENT_TARGETS: tuple[Target, ...] = (
    Target(_BASE_CLIENT, "SyncAPIClient", "request", "", "wrap_request"),
    Target(_BASE_CLIENT, "AsyncAPIClient", "request", "", "wrap_async_request"),
    *(
        Target(_BASE_CLIENT, owner, "_process_response", "", "wrap_process_response")
        for owner in ("SyncAPIClient", "AsyncAPIClient")
    ),
    *(
        Target(module, owner, "connect", "", "wrap_connect")
        for module in (_RESPONSES, _BETA_RESPONSES)
        for owner in ("Responses", "AsyncResponses")
    ),
)


_lock = threading.RLock()
_patches: list[Patch] = []
_hooked_modules: set[str] = set()
_recorder: "Recorder | None" = None


def patch(recorder: "Recorder") -> None:
    """Record the calls of every target from now on; again is harmless."""
    global _recorder
    modules = tuple(dict.fromkeys(target.module for target in _all_targets()))
    for module in modules:
        _wait_for_import(module)
    with _lock:
        _recorder = recorder
        for module in modules:
            if module in _hooked_modules:
                _patch_module(module)
            else:
                _hooked_modules.add(module)
                wrapt.register_post_import_hook(_imported, module)
        if _BASE_CLIENT in sys.modules and not sees_requests():
            errors.warn_once(
                "requests",
                "This version of openai has no request() to watch: calls by methods "
                "that were taken before install(), and client.post(), are not "
                "recorded. Call install() first, or use libretto-instrument run.",
            )


def _all_targets() -> tuple[Target, ...]:
    return (*TARGETS, *CLIENT_TARGETS)


def _wait_for_import(name: str) -> None:
    """Wait for another thread that is in the middle of importing a module.

    A module that is imported in part has nothing to patch yet, and the import hook is
    not called for it again.
    """
    spec = getattr(sys.modules.get(name), "__spec__", None)
    if getattr(spec, "_initializing", False):
        try:
            importlib.import_module(name)
        except ImportError as exc:
            errors.log_internal_error(exc, "capture.await_import")


def unpatch() -> None:
    """Restore every target to what it was.

    Where another library's wrapper lies on top of ours, it stays, and ours is only
    disabled.
    """
    global _recorder
    with _lock:
        _recorder = None
        for found in reversed(_patches[:]):
            found.disable()
            if found.owner.__dict__.get(found.method) is found.wrapper:
                setattr(found.owner, found.method, found.original)
                _patches.remove(found)


def is_patched() -> bool:
    """Say whether calls are recorded, or will be as soon as openai is imported."""
    return _recorder is not None


def sees_requests() -> bool:
    """Say whether calls that go around the targets are seen by both kinds of client."""
    patched = [found for found in _patches if found.enabled]
    return sum(found.method == "request" for found in patched) > 1


def _imported(module: ModuleType) -> None:
    with _lock:
        if _recorder is not None:
            _patch_module(module.__name__)


def _patch_module(name: str) -> None:
    module = sys.modules.get(name)
    if module is None or _recorder is None:
        return
    for target in _all_targets():
        if target.module == name:
            try:
                _patch_one(target, module, _recorder)
            except Exception as exc:
                errors.log_internal_error(
                    exc, f"capture.patch {target.owner}.{target.method}"
                )


def _patch_one(target: Target, module: ModuleType, recorder: "Recorder") -> None:
    owner = getattr(module, target.owner, None)
    original = owner.__dict__.get(target.method) if isinstance(owner, type) else None
    if original is None or not isinstance(owner, type):
        return
    for known in _patches:
        # Inside another library's wrapper, or the same class by another module's name.
        if _is_wrapped_by(original, known.wrapper):
            known.enable()
            return
    for known in _patches:
        # Inside a wrapper that hides what it wraps: it must not outlive `unpatch`.
        if (known.owner, known.method) == (owner, target.method):
            known.disable()
    found = Patch(owner, target.method, original)
    found.is_over_foreign = not _is_openais(original)
    if target in CLIENT_TARGETS:
        _wrap_client_method(target, found, recorder)
    else:
        _wrap_method(target, found, recorder)
    if found.wrapper is None:
        return
    setattr(owner, target.method, found.wrapper)
    _patches.append(found)
    found.enable()


def _wrap_method(target: Target, found: Patch, recorder: "Recorder") -> None:
    from . import wrappers
    from .endpoints import table
    from .raw_views import RawViewRefresher

    owner, original = found.owner, found.original
    endpoint = getattr(table, target.endpoint)
    wrapper = getattr(wrappers, target.wrapper_factory)(endpoint, recorder, found)
    kind = PatchedMethod if hasattr(type(original), "__get__") else PatchedStandIn
    found.wrapper = kind(owner, target.method, original, wrapper)
    found.raw_views = RawViewRefresher(owner, target.method, original, wrapper)


def _wrap_client_method(target: Target, found: Patch, recorder: "Recorder") -> None:
    from . import client_requests

    factory = getattr(client_requests, target.wrapper_factory)
    found.wrapper = factory(found.original, recorder, found)


def _is_openais(function: Any) -> bool:
    names = getattr(function, "__globals__", {})
    return str(names.get("__name__")).startswith("openai.")


def _is_wrapped_by(function: Any, wrapper: Any) -> bool:
    """Say whether ``wrapper`` is ``function`` or is wrapped by it."""
    while function is not None:
        if function is wrapper:
            return True
        function = getattr(function, "__wrapped__", None)
    return False
