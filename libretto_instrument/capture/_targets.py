"""Which methods of openai are recorded, and how they are patched and restored.

One table drives both directions. Each target stands alone: what a version of openai
does not have is skipped. A module that is not imported yet is patched when it is.
"""

import sys
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import wrapt
from attrs import define, frozen

from .. import _guard
from ._call import Recorder
from ._drivers import Driver, async_driver, helper_driver, sync_driver
from ._shapes import CHAT, COMPLETION, RESPONSES, Shape
from ._views import Renewal


@frozen
class Target:
    """A method that calls a model.

    Attributes:
        module: Where its class is imported from.
        owner: The class whose own method it is.
        method: Its name.
        shape: How its requests and answers are laid out.
        driver: Makes the wrapper: one kind waits, one does not.
    """

    module: str
    owner: str
    method: str
    shape: Shape
    driver: Callable[[Shape, Recorder], Driver]


def _calls(module: str, owner: str, shape: Shape, *methods: str) -> list[Target]:
    return [
        target
        for method in methods
        for target in (
            Target(module, owner, method, shape, sync_driver),
            Target(module, f"Async{owner}", method, shape, async_driver),
        )
    ]


def _helpers(module: str, owner: str, shape: Shape) -> list[Target]:
    return [
        Target(module, name, "stream", shape, helper_driver)
        for name in (owner, f"Async{owner}")
    ]


_CHAT = "openai.resources.chat.completions"
_BETA_CHAT = "openai.resources.beta.chat.completions"
_RESPONSES = "openai.resources.responses"
_BETA_RESPONSES = "openai.resources.beta.responses"

TARGETS: tuple[Target, ...] = (
    *_calls(_CHAT, "Completions", CHAT, "create", "parse"),
    *_helpers(_CHAT, "Completions", CHAT),
    *_calls(_BETA_CHAT, "Completions", CHAT, "create", "parse"),
    *_helpers(_BETA_CHAT, "Completions", CHAT),
    *_calls("openai.resources.completions", "Completions", COMPLETION, "create"),
    *_calls(_RESPONSES, "Responses", RESPONSES, "create", "parse"),
    *_helpers(_RESPONSES, "Responses", RESPONSES),
    *_calls(_BETA_RESPONSES, "Responses", RESPONSES, "create", "parse"),
    *_helpers(_BETA_RESPONSES, "Responses", RESPONSES),
)


@define(eq=False)
class _Patch:
    """One wrapper of ours that may still be in place.

    Attributes:
        owner: The class.
        method: Its method.
        original: What was found in the class's own namespace.
        wrapper: What was put there.
        views: What keeps the raw views of the class up to date.
        awake: Whether the wrapper records; asleep, it only passes on.
    """

    owner: type
    method: str
    original: Any
    wrapper: Any = None
    views: Renewal | None = None
    awake: bool = True

    def wake(self) -> None:
        """Record calls."""
        self.awake = True
        if self.views is not None:
            self.views.start()

    def sleep(self) -> None:
        """Pass calls on."""
        self.awake = False
        if self.views is not None:
            self.views.stop()


_lock = threading.RLock()
_patches: list[_Patch] = []
_hooked: set[str] = set()
_recorder: Recorder | None = None


def patch(recorder: Recorder) -> None:
    """Record the calls of every target from now on; again is harmless."""
    global _recorder
    with _lock:
        _recorder = recorder
        for module in dict.fromkeys(target.module for target in TARGETS):
            if module in _hooked:
                _patch_module(module)
            else:
                _hooked.add(module)
                wrapt.register_post_import_hook(_imported, module)


def unpatch() -> None:
    """Restore every target to what it was.

    Where somebody else's wrapper lies on top of ours, it stays, and ours goes to sleep
    beneath it.
    """
    global _recorder
    with _lock:
        _recorder = None
        for found in reversed(_patches[:]):
            found.sleep()
            if found.owner.__dict__.get(found.method) is found.wrapper:
                setattr(found.owner, found.method, found.original)
                _patches.remove(found)


def is_patched() -> bool:
    """Say whether calls are recorded, or will be as soon as openai is imported."""
    return _recorder is not None


def _imported(module: ModuleType) -> None:
    with _lock:
        if _recorder is not None:
            _patch_module(module.__name__)


def _patch_module(name: str) -> None:
    module = sys.modules.get(name)
    if module is None or _recorder is None:
        return
    for target in TARGETS:
        if target.module == name:
            try:
                _patch_one(target, module, _recorder)
            except Exception as exc:
                _guard.swallow(exc, f"capture.patch {target.owner}.{target.method}")


def _patch_one(target: Target, module: ModuleType, recorder: Recorder) -> None:
    owner = getattr(module, target.owner, None)
    original = owner.__dict__.get(target.method) if isinstance(owner, type) else None
    if original is None or not isinstance(owner, type):
        return
    for standing in _patches:
        # Beneath somebody else's wrapper, or the same class by another module's name.
        if _lies_in(original, standing.wrapper):
            standing.wake()
            return
    for standing in _patches:
        # Beneath a wrapper that hides what it wraps: it must not outlive `unpatch`.
        if (standing.owner, standing.method) == (owner, target.method):
            standing.sleep()
    found = _Patch(owner, target.method, original)
    driver = target.driver(target.shape, recorder)
    found.wrapper = wrapt.FunctionWrapper(original, driver, enabled=lambda: found.awake)
    setattr(owner, target.method, found.wrapper)
    _patches.append(found)
    found.views = Renewal(owner, target.method, driver)
    found.wake()


def _lies_in(function: Any, wrapper: Any) -> bool:
    """Say whether ``wrapper`` is ``function`` or lies beneath it."""
    while function is not None:
        if function is wrapper:
            return True
        function = getattr(function, "__wrapped__", None)
    return False
