"""Taking an instrumentation off and putting it back, whatever it is made of."""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

_ABSENT = object()

_Members = dict[tuple[type, str], Any]


def _members() -> _Members:
    """Return the members of the classes that openai's clients and streams are made of.

    The models are left out: they are many, and no library patches them.
    """
    found: _Members = {}
    for name, module in list(sys.modules.items()):
        if name.split(".")[0] != "openai" or name.startswith("openai.types"):
            continue
        for owner in list(vars(module).values()):
            if isinstance(owner, type) and owner.__module__.startswith("openai"):
                found.update(
                    {(owner, member): value for member, value in vars(owner).items()}
                )
    return found


@dataclass
class Switch:
    """What a library changed in openai's classes, to be undone and done again.

    So one process can make calls bare and recorded in turn: from one process to the
    next, the same call's time differs by more than what is to be measured.
    """

    _changed: Mapping[tuple[type, str], tuple[Any, Any]] = field(default_factory=dict)
    _recording: bool = True

    @classmethod
    def around(cls, install: Callable[[], Any]) -> "tuple[Switch, Any]":
        """Return the switch of what ``install`` does, and what it returns."""
        before = _members()
        known = {owner for owner, _ in before}
        installed = install()
        changed = {
            (owner, member): (before.get((owner, member), _ABSENT), value)
            for (owner, member), value in _members().items()
            if owner in known and before.get((owner, member), _ABSENT) is not value
        }
        return cls(changed), installed

    def turn(self, *, recording: bool) -> None:
        """Record from now on, or don't."""
        if recording is self._recording:
            return
        self._recording = recording
        for (owner, member), (bare, recorded) in self._changed.items():
            value = recorded if recording else bare
            if value is _ABSENT:
                delattr(owner, member)
            else:
                setattr(owner, member, value)
