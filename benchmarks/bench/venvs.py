"""A virtual environment for each library, in a folder that git ignores."""

import subprocess
import sys
import venv
from pathlib import Path

from .libraries import LIBRARIES, OURS

ROOT = Path(__file__).parent.parent.parent
_FOLDER = ROOT / ".bench"

_QUIETLY = ("--disable-pip-version-check", "--no-input")

#: What each environment has from the start, and no library brings.
_TOOLS = ("pip", "setuptools", "_distutils_hack", "distutils-precedence")


class NotInstalled(Exception):  # noqa: N818 - it reads as what it says in a table
    """A library could not be installed; the message says why, in a line."""


def interpreter(name: str) -> Path:
    """Return the Python that has a library, after having installed it if need be.

    To have newer versions, remove the folder.

    Raises:
        NotInstalled: It cannot be installed.
    """
    folder = _FOLDER / name
    python = folder / "bin" / "python"
    requires = ["openai", *LIBRARIES[name].requires]
    ready = folder / ".ready"
    if not python.exists():
        venv.create(folder, with_pip=True)
    if not ready.exists() or ready.read_text().split() != requires:
        print(f"Installing {name} …", file=sys.stderr)
        _pip(python, *requires)
        ready.write_text("\n".join(requires))
    elif name == OURS:
        _pip(python, "--force-reinstall", "--no-deps", ".")
    return python


def _pip(python: Path, *arguments: str) -> None:
    done = subprocess.run(
        [str(python), "-m", "pip", "-qq", *_QUIETLY, "install", *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["pip failed"]
        raise NotInstalled(lines[-1])


def size(name: str) -> int:
    """Return how many bytes the packages in a library's environment hold."""
    (packages,) = (_FOLDER / name).glob("lib/python*/site-packages")
    return sum(
        path.lstat().st_size
        for path in packages.rglob("*")
        if not path.relative_to(packages).parts[0].startswith(_TOOLS)
        and not path.is_dir()
    )
