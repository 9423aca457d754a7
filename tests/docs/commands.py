"""What is checked of the commands that pages tell their readers to type."""

import ast
import re
import shlex
import subprocess
from collections.abc import Iterator
from itertools import pairwise

from packaging.requirements import InvalidRequirement, Requirement
from pages import ROOT, Block

from libretto_instrument._cli.main import _parser

_PYPROJECT = (ROOT / "pyproject.toml").read_text("utf-8")
_ASSIGNMENT = re.compile(r"[A-Z_]\w*=")


def commands_of(block: Block) -> Iterator[tuple[int, str]]:
    """Yield the commands of a block with their lines in the page.

    In a block where some line begins with ``$``, the others are what is printed.
    """
    lines = block.text.splitlines()
    prompted = any(line.startswith("$ ") for line in lines)
    at = 0
    while at < len(lines):
        first, line = at, lines[at]
        while line.endswith("\\") and at + 1 < len(lines):
            at += 1
            line = line[:-1] + lines[at].removeprefix("> ")
        at += 1
        command = line.removeprefix("$ ").strip()
        if command and (not prompted or line.startswith("$ ")):
            yield block.line + first, command


def fault_of(command: str) -> str | None:
    """Return what is wrong with a command, or None."""
    shell = subprocess.run(
        ["bash", "-n", "-c", command], capture_output=True, text=True, check=False
    )
    if shell.returncode:
        return shell.stderr.strip()
    for part in _parts(command):
        if found := _fault_of_one(part):
            return found
    return None


def _parts(command: str) -> Iterator[list[str]]:
    """Yield the words of each command in a line, less its variables."""
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, ";"]:
        if set(word) <= set("();<>|&"):
            if words:
                yield words
            words = []
        elif words or not _ASSIGNMENT.match(word):
            words.append(word)


def _fault_of_one(words: list[str]) -> str | None:
    match words:
        case ["libretto-instrument", *arguments]:
            return _fault_of_ours(arguments)
        case [python, "-m", "libretto_instrument", *arguments] if "python" in python:
            return _fault_of_ours(arguments)
        case [python, "-m", "pip", "install", *arguments] if "python" in python:
            return _fault_of_pip(arguments)
        case ["pip", "install", *arguments]:
            return _fault_of_pip(arguments)
        case [python, path, *_] if "python" in python and "/" in path:
            return None if (ROOT / path).exists() else f"there is no {path}"
        case ["make", *targets]:
            return _fault_of_make(targets)
        case ["nox", *arguments]:
            return _fault_of_nox(arguments)
    return None


def _fault_of_ours(arguments: list[str]) -> str | None:
    try:
        _parser().parse_args(arguments)
    except SystemExit as end:
        # --help and --version end well.
        if end.code:
            return f"libretto-instrument does not take: {shlex.join(arguments)}"
    return None


def _fault_of_pip(arguments: list[str]) -> str | None:
    for argument in arguments:
        if argument.startswith(("-", ".")) or "/" in argument:
            continue
        try:
            wanted = Requirement(argument)
        except InvalidRequirement as exc:
            return str(exc)
        if wanted.name.replace("_", "-") == "libretto-instrument":
            for extra in wanted.extras - set(extras()):
                return f"there is no extra {extra}"
    return None


def extras() -> list[str]:
    """Return the names of the extras that pyproject.toml has."""
    table = _PYPROJECT.split("[project.optional-dependencies]")[1].split("\n[")[0]
    return re.findall(r"^([\w-]+) = \[", table, re.MULTILINE)


def _fault_of_make(targets: list[str]) -> str | None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in targets:
        named = "=" not in target and not target.startswith("-")
        if named and not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE):
            return f"the Makefile has no target {target}"
    return None


def _fault_of_nox(arguments: list[str]) -> str | None:
    tree = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
    sessions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    for flag, value in pairwise(arguments):
        name = value.partition("(")[0].partition("-")[0]
        if flag in ("-s", "--session") and name not in sessions:
            return f"noxfile.py has no session {name}"
    return None
