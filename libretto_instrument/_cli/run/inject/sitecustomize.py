"""Installs the recording when an interpreter starts under ``libretto-instrument run``.

This folder is on PYTHONPATH, so that the `site` module of every interpreter that the
program starts imports this file. It leaves no other trace: the folder is removed from
`sys.path`, and a ``sitecustomize`` of the user's own still runs.
"""

import importlib
import os
import sys


def _run_next_sitecustomize() -> None:
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != here]
    sys.path_importer_cache.pop(here, None)
    ours = sys.modules.pop("sitecustomize")
    try:
        importlib.import_module("sitecustomize")
    except ModuleNotFoundError as exc:
        if exc.name != "sitecustomize":
            raise
    finally:
        # The import system looks up the name once this file has run.
        sys.modules.setdefault("sitecustomize", ours)


def _install() -> None:
    try:
        import libretto_instrument
    except ImportError:
        return  # An interpreter in which we are not installed.
    try:
        libretto_instrument.install()
    except Exception as exc:
        # The program may have changed the environment for this process.
        sys.stderr.write(f"libretto-instrument run: nothing is recorded: {exc}\n")


try:
    _run_next_sitecustomize()
finally:
    _install()
