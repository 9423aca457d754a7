"""Imports what a command line names."""

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["importing_from_working_directory", "load_object"]


@contextmanager
def importing_from_working_directory() -> Iterator[None]:
    """Find modules in the working directory, too, after all others, in the block.

    What is imported later, such as by the exporters of others, must not come from
    whatever directory the command was started in.
    """
    directory = os.getcwd()
    sys.path.append(directory)
    try:
        yield
    finally:
        # The last one: the directory may have been on the path before.
        for position in reversed(range(len(sys.path))):
            if sys.path[position] == directory:
                del sys.path[position]
                break


def load_object(name: str) -> Any:
    """Return what ``module:NAME`` names; the module may be in the working directory.

    Raises:
        ValueError: There is no such module, or it has no such name.
    """
    module, _, attribute = name.partition(":")
    with importing_from_working_directory():
        try:
            found: Any = importlib.import_module(module)
            for part in attribute.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError) as exc:
            raise ValueError(f"There is no {name}: {exc}.") from exc
        except (Exception, SystemExit) as exc:
            problem = f"{type(exc).__name__}: {exc}"
            raise ValueError(f"{module} can't be imported: {problem}") from exc
    return found
