"""Runs the Python blocks of one page in this process: `python run_page.py PAGE`.

The model and Libretto are those that the environment names; whoever would talk to
anybody else, or write elsewhere than below the current directory, is stopped.
"""

import ast
import asyncio
import inspect
import ipaddress
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import given
from pages import Block, blocks_of

import libretto_instrument as libretto
from libretto_instrument._util import errors

_guarded = False


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = {"os.mkdir", "os.remove", "os.rename", "os.rmdir", "sqlite3.connect"}


def _guard_this_machine(event: str, args: tuple[Any, ...]) -> None:
    """Stop what reaches out of the sandbox; an audit hook."""
    if not _guarded:
        return
    if event in _CHANGES or (event == "open" and args[2] & _WRITING):
        _stay_below_here(args[0])
    elif event == "socket.connect":
        _stay_on_loopback(args[1])


def _stay_below_here(path: Any) -> None:
    if isinstance(path, int) or os.fsdecode(path) == os.devnull:
        return
    whole = Path(os.path.realpath(os.fsdecode(path).removeprefix("file:")))
    if not whole.is_relative_to(Path.cwd()):
        msg = f"the page writes to {whole}: use a relative path, or mark it not run"
        raise PermissionError(msg)


def _stay_on_loopback(address: Any) -> None:
    if not isinstance(address, tuple) or address[0] == "localhost":
        return
    try:
        there = ipaddress.ip_address(address[0]).is_loopback
    except ValueError:
        there = False
    if not there:
        msg = f"the page talks to {address[0]}: mark it not run"
        raise PermissionError(msg)


class _Program:
    """The namespace that blocks share, until one begins a new program."""

    def __init__(self) -> None:
        self._module = ModuleType("__main__")
        for name in given.__all__:
            setattr(self._module, name, getattr(given, name))
        # Classes of the page are looked up here by those who read annotations.
        sys.modules["__main__"] = self._module

    def run(self, block: Block, loop: asyncio.AbstractEventLoop) -> None:
        """Run a block, whose lines tracebacks show where the page has them."""
        code = compile(
            "\n" * (block.line - 1) + block.text,
            str(block.page),
            "exec",
            flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT,
        )
        if code.co_flags & inspect.CO_COROUTINE:
            loop.run_until_complete(eval(code, vars(self._module)))
        else:
            exec(code, vars(self._module))


def _has_tests(block: Block) -> bool:
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        for node in ast.parse(block.text).body
    )


def _run_by_pytest(block: Block) -> None:
    path = Path(f"test_line_{block.line}.py")
    path.write_text(f"from given import *\n{block.text}", "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-o", "asyncio_mode=auto"]
    subprocess.run([*command, str(path)], check=True)


def main(page: Path) -> None:
    """Run the page's blocks in order, and hold that nothing of it was lost."""
    global _guarded
    sys.addaudithook(_guard_this_machine)
    sys.dont_write_bytecode = True
    errors.reraise = True
    program, loop = _Program(), asyncio.new_event_loop()
    for block in blocks_of(page):
        if block.language != "python" or block.mark == "not run":
            continue
        if block.mark == "new program":
            program = _Program()
        if _has_tests(block):
            _run_by_pytest(block)
            continue
        _guarded = True
        program.run(block, loop)
        _guarded = False
    loop.close()
    assert libretto.flush(10), libretto.stats()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
