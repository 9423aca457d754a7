"""Checks which methods of openai can be recorded, and who else patches them."""

import functools
import importlib
import importlib.util
import inspect
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from .report import DoctorReport


def check_openai(report: DoctorReport) -> None:
    """Patch openai as `install()` does, check the result, and undo it."""
    if (shadowing := _shadowing_module()) is not None:
        report.add_problem(
            "openai-shadowed",
            f"import openai finds {shadowing}, which is not the openai package.",
            "Give that file or folder another name.",
        )
        return
    try:
        import openai  # noqa: F401
    except Exception as exc:
        report.add_problem(
            "openai-broken",
            f"openai cannot be imported ({type(exc).__name__}: {exc}).",
            "Try python -c 'import openai', and reinstall what it names.",
        )
        return
    _check_targets(report)


def _shadowing_module() -> str | None:
    """Return the file that shadows openai; None if none does."""
    try:
        distribution = metadata.distribution("openai")
    except metadata.PackageNotFoundError:
        return None
    real = Path(str(distribution.locate_file("openai/__init__.py")))
    spec = importlib.util.find_spec("openai")
    if spec is None or not spec.origin or not real.exists():
        return None  # Installed in some other way, such as from a checkout.
    return None if real.samefile(spec.origin) else spec.origin


def _check_targets(report: DoctorReport) -> None:
    from ..._capture import TARGETS, is_patched, patch, sees_requests, unpatch
    from ..._runtime.state import runtime

    present: dict[str, tuple[str, str, str]] = {}
    missing = []
    for target in TARGETS:
        place = target.module, target.owner, target.method
        if _method(*place) is None:
            missing.append(".".join(place).removeprefix("openai.resources."))
        else:
            present[".".join(place)] = place
    methods = [(name, _method(*place)) for name, place in present.items()]
    foreign: dict[str, list[str]] = {}
    for name, method in (*methods, *_inner_wrappers()):
        others = [each for each in _wrapper_chain(method) if not _is_ours(each)]
        if others:
            foreign[name] = others
    before = is_patched()
    refused, sees_all = [], True
    # Where it was patched before, ours may be inside what hides it.
    if not before:
        patch(runtime)
        refused = [
            name
            for name, place in present.items()
            if not any(map(_is_ours, _wrapper_chain(_method(*place))))
        ]
        sees_all = sees_requests()
        unpatch()
    report.add_fact("openai", "can be recorded", len(methods) - len(refused))
    report.add_fact("openai", "not in this version", missing)
    if _method("openai.resources.responses", "Responses", "connect") is not None:
        report.add_fact("openai", "cannot be recorded", ["responses.connect"])
    report.add_fact("openai", "patched by others", foreign)
    report.add_fact("openai", "installed already", before)
    if not methods or refused:
        report.add_problem(
            "openai-unknown",
            f"{len(methods) - len(refused)} methods of this openai can be recorded, of "
            f"{len(methods) or len(TARGETS)}.",
            "Use a version of openai that libretto-instrument was tested with, or a "
            "newer libretto-instrument.",
        )
    if not sees_all:
        report.add_warning(
            "requests-unseen",
            "This openai's clients have no request() that can be watched: calls by "
            "methods that were taken before install(), and client.post(), are missing.",
            "Call install() before anything takes a method, or start the program by "
            "libretto-instrument run.",
        )
    if foreign:
        names = sorted({name for modules in foreign.values() for name in modules})
        report.add_warning(
            "patched-by-others",
            f"openai is patched by {', '.join(names)}, too ({len(foreign)} methods).",
            "Both record. If calls are missing, call libretto's install() last.",
        )


def _method(module: str, owner: str, method: str) -> Any:
    """Return a class's own method; None if this version does not have it."""
    try:
        found = getattr(importlib.import_module(module), owner, None)
    except ImportError:
        return None
    return found.__dict__.get(method) if isinstance(found, type) else None


def _inner_wrappers() -> Iterator[tuple[str, Any]]:
    """Yield the methods that every call goes through, which others like to patch."""
    import openai

    for owner in (openai.OpenAI, openai.AsyncOpenAI):
        for method in ("request", "post"):
            # Looked for among its bases, too, but not bound to the class.
            found = inspect.getattr_static(owner, method, None)
            yield f"openai.{owner.__name__}.{method}", found


def _is_ours(module: str) -> bool:
    return module.startswith("libretto_instrument.")


def _wrapper_chain(method: Any) -> Iterator[str]:
    """Yield the module of each wrapper around openai's own function, outermost first.

    A name that a wrapper took over from what it wraps, as functools.wraps does, is not
    its own. Where its code was written is.
    """
    while method is not None:
        module = _defining_module(getattr(method, "_self_wrapper", method))
        if module == "openai" or module.startswith("openai."):
            return
        yield module
        method = getattr(method, "__wrapped__", None)


def _defining_module(function: Any) -> str:
    while isinstance(function, functools.partial):
        function = function.func
    function = getattr(function, "__func__", function)
    names = getattr(function, "__globals__", {})
    return str(names.get("__name__") or type(function).__module__)
