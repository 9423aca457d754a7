"""Programs that do as another one says: an order and its answer are a line of JSON."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

HERE = Path(__file__).parents[1]
ROOT = HERE.parent

#: The rig, the library as it is here, and the misbehaving backend of its tests.
SEARCHED = (HERE, ROOT, ROOT / "tests")


def environment(**more: str) -> dict[str, str]:
    """Return the variables of a process that finds the library and the rig."""
    path = os.pathsep.join(map(str, SEARCHED))
    return {**os.environ, "PYTHONPATH": path, **more}


class Peer:
    """A module of the rig, run in a process of its own for the length of a block."""

    def __init__(self, module: str, *arguments: str, **variables: str) -> None:
        """Start it.

        Args:
            module: Its name in this package; it ends up in `obey`.
            arguments: Its command line.
            variables: What its environment has more than this one.
        """
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"chaos_rig.{module}", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment(**variables),
            text=True,
        )

    def __enter__(self) -> "Peer":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._process.kill()
        self._process.communicate()

    def ask(self, order: str, *arguments: Any) -> Any:
        """Give an order, wait until it is done, and return what it returned.

        Raises:
            RuntimeError: If the process has ended instead; it has said why.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([order, *arguments]) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(
                f"the process ended at {order!r}; see what it says above"
            )
        return json.loads(line)


def obey(orders: Mapping[str, Callable[..., Any]]) -> None:
    """Do what is asked on standard input, until it is closed."""
    for line in sys.stdin:
        order, *arguments = json.loads(line)
        print(json.dumps(orders[order](*arguments)), flush=True)
