"""What type checkers say of programs that use this: right ones pass, wrong ones don't.

The programs in `typing/` are read, never run. In them ``# error: A, B`` says that the
next line is wrong, and that mypy calls it A and pyright B.
"""

import json
import os
import re
import subprocess
import sys
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

import libretto_openai

pytest.importorskip("mypy")
pytest.importorskip("basedpyright")


ROOT = Path(__file__).parents[1]
PROGRAMS = sorted(Path(__file__).with_name("typing").glob("*.py"))
PACKAGE = Path(libretto_openai.__file__).parent
STUB = PACKAGE / "_typed_clients.pyi"

#: The oldest Python there is support for; checkers know least of what it has.
PYTHON = "3.10"


def is_too_old() -> bool:
    """Say whether openai is older than that of the stub: it lacks what programs use."""
    of_stub = re.search(r"from openai ([\d.]+)\. ", STUB.read_text("utf-8"))
    assert of_stub
    there, needed = (
        [int(number) for number in re.findall(r"\d+", each)]
        for each in (version("openai"), of_stub[1])
    )
    return there < needed


pytestmark = pytest.mark.skipif(is_too_old(), reason="an openai before the stub's")

#: The names of what is wrong, by line, by file.
Errors = dict[Path, dict[int, set[str]]]


def run(arguments: list[str], **variables: str) -> str:
    """Run a checker, and return what it printed."""
    quiet = {name: value for name, value in os.environ.items() if name[:3] != "COV"}
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=PROGRAMS[0].parent,
        env=quiet | variables,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return done.stdout


def add(errors: Errors, path: str, line: int, name: str) -> None:
    errors.setdefault(Path(path), {}).setdefault(line, set()).add(name)


def is_installed() -> bool:
    """Say whether the packages are where checkers look anyway."""
    return "site-packages" in PACKAGE.parts


@cache
def mypy() -> Errors:
    """Return what mypy finds when it is strict."""
    printed = run(
        [
            *("mypy", "--strict", "--config-file=", f"--python-version={PYTHON}"),
            *("--no-error-summary", "--no-pretty", "--show-absolute-path"),
            f"--cache-dir={ROOT / '.mypy_cache' / 'typing'}",
            *map(str, PROGRAMS),
        ],
        **({} if is_installed() else {"MYPYPATH": str(PACKAGE.parent)}),
    )
    errors: Errors = {}
    for line in printed.splitlines():
        found = re.fullmatch(r"(.+?):(\d+): error: .*\[([\w-]+)\]", line)
        assert found or ": note: " in line, line
        if found:
            add(errors, found[1], int(found[2]), found[3])
    return errors


@cache
def pyright(folder: Path) -> Errors:
    """Return what pyright finds when it is strict, in the programs and in the stub."""
    config = folder / "pyrightconfig.json"
    paths = [] if is_installed() else [str(PACKAGE.parent)]
    settings = {
        "typeCheckingMode": "strict",
        "pythonVersion": PYTHON,
        "extraPaths": paths,
    }
    config.write_text(json.dumps(settings))
    files = [*PROGRAMS, STUB]
    printed = run(
        [
            *("basedpyright", "--outputjson", f"--pythonpath={sys.executable}"),
            *(f"--project={config}", *map(str, files)),
        ]
    )
    told = json.loads(printed)
    assert told["summary"]["filesAnalyzed"] == len(files)
    errors: Errors = {}
    for each in told["generalDiagnostics"]:
        line = each["range"]["start"]["line"] + 1
        add(errors, each["file"], line, each.get("rule", each["message"]))
    return errors


@pytest.fixture(scope="session", params=["mypy", "pyright"])
def checker(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[int, Errors]:
    """Which of the two names in a mark is a checker's own, and what it finds."""
    if request.param == "mypy":
        return 0, mypy()
    return 1, pyright(tmp_path_factory.mktemp("pyright"))


def marks(path: Path) -> dict[int, tuple[str, str]]:
    """Return the two names of what is wrong, by the line that is wrong."""
    found = {}
    for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
        mark = re.fullmatch(r" *# error: ([\w-]+), (\w+)", line)
        assert mark or "# error" not in line, f"{path}:{number} is no mark"
        if mark:
            found[number + 1] = (mark[1], mark[2])
    return found


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs(path: Path, checker: tuple[int, Errors]) -> None:
    """A checker objects to each wrong line, for the reason given, and to no other."""
    which, errors = checker
    expected = marks(path)
    found = errors.get(path, {})
    assert expected
    assert sorted(found) == sorted(expected)
    for line, names in expected.items():
        assert names[which] in found[line], f"{path}:{line}"


def test_the_packages_themselves(checker: tuple[int, Errors]) -> None:
    """A checker that follows a program into our packages finds nothing wrong there."""
    _, errors = checker
    assert not errors.keys() - set(PROGRAMS)
