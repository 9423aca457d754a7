"""Counting what the library does on the caller's thread, instead of timing it.

Counts do not depend on the machine or on what else it does. They hardly depend on the
version of Python: comprehensions, which are calls in some and not in others, are not
counted, and a coroutine counts once, however often it waits.
"""

import inspect
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from attrs import define, field

import libretto_instrument

_OURS = str(Path(libretto_instrument.__file__).parent)

_INLINED = frozenset(("<listcomp>", "<dictcomp>", "<setcomp>"))

#: Functions that encode, decode or copy a whole value.
_HEAVY = frozenset(
    (
        "deepcopy",
        "dumps",
        "from_json",
        "loads",
        "model_copy",
        "model_dump",
        "model_dump_json",
        "to_json",
        "to_jsonable_python",
        "to_python",
    )
)


@define(eq=False)
class Work:
    """What the library did on this thread.

    Attributes:
        calls: Its functions that ran, by name; a generator counts each time it goes on.
        heavy: What its functions called that encodes, decodes or copies, by name.
        small: How many functions written in C its functions called.
    """

    calls: Counter[str] = field(factory=Counter)
    heavy: Counter[str] = field(factory=Counter)
    small: int = 0
    _coroutines: list[FrameType] = field(factory=list)

    @property
    def total(self) -> int:
        """How many of the library's functions ran."""
        return self.calls.total()

    def see(self, frame: FrameType, event: str, argument: Any) -> None:
        """Take note of a call; what `sys.setprofile` wants."""
        if event == "call":
            self._see_call(frame)
        elif event == "c_call" and _is_ours(frame.f_code):
            self.small += 1
            if argument.__name__ in _HEAVY:
                self.heavy[argument.__name__] += 1

    def _see_call(self, frame: FrameType) -> None:
        code, caller = frame.f_code, frame.f_back
        if not _is_ours(code):
            if code.co_name in _HEAVY and caller and _is_ours(caller.f_code):
                self.heavy[code.co_name] += 1
            return
        if code.co_name in _INLINED:
            return
        if code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
            if any(frame is known for known in self._coroutines):
                return
            self._coroutines.append(frame)
        self.calls[f"{Path(code.co_filename).stem}.{code.co_name}"] += 1


def _is_ours(code: CodeType) -> bool:
    return code.co_filename.startswith(_OURS)


@contextmanager
def watched() -> Iterator[Work]:
    """Count what the library does on this thread inside the block."""
    work = Work()
    sys.setprofile(work.see)
    try:
        yield work
    finally:
        sys.setprofile(None)
        work._coroutines.clear()
