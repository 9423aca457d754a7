"""Faults at every step: a raise in any one function of ours that a course runs.

The interpreter's profile hook sees each function as it is entered, on the thread that
set it, and what the hook raises is raised by the function. So steps need no list: a
function written tomorrow is a step tomorrow.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

_PACKAGE = "libretto_instrument"


class Fault(Exception):  # noqa: N818 - it is read as one word in logs
    """What a step raises."""


def steps(course: Callable[[], Any]) -> dict[CodeType, str]:
    """Run a course and return our functions that it enters, with their names.

    A name is the module's and the function's: ``_call.begin``.
    """
    found: dict[CodeType, str] = {}

    def note(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code not in found:
            name = _name(frame)
            if name is not None:
                found[frame.f_code] = name

    with _hooked(note):
        course()
    return found


@contextmanager
def raising(step: CodeType) -> Iterator[list[Fault]]:
    """Let a function raise the first time it is entered; yield what was raised."""
    raised: list[Fault] = []

    def strike(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code is step:
            raised.append(Fault("a prompt: my secret"))
            # The interpreter removes the hook as it raises.
            raise raised[0]

    with _hooked(strike):
        yield raised


@contextmanager
def _hooked(hook: Callable[[FrameType, str, Any], None]) -> Iterator[None]:
    before = sys.getprofile()
    sys.setprofile(hook)
    try:
        yield
    finally:
        sys.setprofile(before)


def _name(frame: FrameType) -> str | None:
    code = frame.f_code
    module = frame.f_globals.get("__name__") or ""
    if module.startswith(_PACKAGE):
        return f"{module.rpartition('.')[2]}.{code.co_name}"
    if f" {_PACKAGE}." in code.co_filename:  # "<attrs generated init package.…>"
        owner = code.co_filename.rstrip(">").rpartition(".")[2]
        return f"{owner}.{code.co_name}"
    return None
