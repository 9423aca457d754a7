"""A user's first minute: an empty directory, the wheel, and the README to the letter.

Not part of the suite, since pip has to fetch what the wheel needs:

    LIBRETTO_WHEEL=dist/libretto_instrument-….whl pytest tests/docs/users_minute.py

Without the variable, the wheel is built first. Nothing of the checkout can be imported
by what is run here; the model and Libretto are this process's.
"""

import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from attrs import frozen
from commands import commands_of
from pages import ROOT, Block, blocks_of
from support.backend import Backend

from libretto_instrument.demo import OfflineModel

README = ROOT / "README.md"

#: Settings of this process that a user would not have.
FOREIGN = ("PYTHON", "COV_", "COVERAGE_", "LIBRETTO_", "OPENAI_", "VIRTUAL_ENV")


def section(title: str) -> list[Block]:
    """Return the blocks below one of the README's headings."""
    text = README.read_text("utf-8")
    start = text[: text.index(f"\n## {title}\n")].count("\n") + 2
    ends = [text[: found.start()].count("\n") for found in re.finditer("\n## ", text)]
    end = min((line + 2 for line in ends if line + 2 > start), default=sys.maxsize)
    return [block for block in blocks_of(README) if start < block.line < end]


@frozen
class Place:
    """The place in which the package is tried.

    Attributes:
        folder: An empty directory.
        wheel: What ``pip install libretto-instrument`` would bring.
    """

    folder: Path
    wheel: Path

    def run(
        self, *command: str, expect: int = 0, **variables: str
    ) -> "subprocess.CompletedProcess[str]":
        """Run a command of the virtual environment, and hold how it ends."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        programs = self.folder / "venv" / "bin"
        done = subprocess.run(
            [str(programs / command[0]), *command[1:]],
            cwd=self.folder,
            env={**kept, **variables, "PATH": f"{programs}:{kept['PATH']}"},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def install(self, what: str) -> None:
        """Do as ``pip install what`` would if the wheel were published."""
        wheel = what.replace("libretto-instrument", str(self.wheel))
        self.run("pip", "install", "--quiet", "--disable-pip-version-check", wheel)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return an empty directory with a virtual environment that has nothing yet."""
    folder = tmp_path_factory.mktemp("minute")
    named = os.environ.get("LIBRETTO_WHEEL")
    if named is None:
        build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
        subprocess.run([*build, f"--wheel-dir={folder}", str(ROOT)], check=True)
    wheel = Path(named).resolve() if named else next(folder.glob("*.whl"))
    venv.create(folder / "venv", with_pip=True)
    return Place(folder, wheel)


def installs() -> list[str]:
    """Return what the README has its reader install, in its order."""
    return [
        command.split("#")[0].split()[-1].strip("'")
        for block in section("Installing")
        for _, command in commands_of(block)
        if command.startswith("pip install")
    ]


def test_the_readme_to_the_letter(
    place: Place, model: OfflineModel, backend: Backend
) -> None:
    """The first line to install brings what the first program needs, and it records."""
    place.install(installs()[0])
    where = "import libretto_instrument as it; print(it.__file__)"
    assert str(place.folder) in place.run("python", "-c", where).stdout
    first, *_ = section("Ten lines")
    (place.folder / "first.py").write_text(first.text, "utf-8")
    place.run(
        "python",
        *("-W", "error", "first.py"),
        OPENAI_API_KEY="sk-test",
        OPENAI_BASE_URL=model.base_url,
        LIBRETTO_API_PREFIX=backend.url,
    )
    (event,) = backend.events
    assert event["params"] == {"sport": "curling"}
    (feedback,) = backend.stored("feedback")
    assert feedback["feedback_key"] == event["feedbackKey"]


def test_each_program_of_the_readme_is_whole(
    place: Place, model: OfflineModel, backend: Backend
) -> None:
    """Whatever begins with an import runs as it stands."""
    programs = [
        block for block in section("Ten lines") if re.match("from|import", block.text)
    ]
    assert len(programs) >= 2
    for block in programs:
        place.run(
            *("python", "-c", block.text),
            OPENAI_API_KEY="sk-test",
            OPENAI_BASE_URL=model.base_url,
            LIBRETTO_API_PREFIX=backend.url,
        )


def test_a_missing_extra_is_told(place: Place) -> None:
    """A command says what to install, and that works."""
    told = place.run("libretto-instrument", "demo", expect=2).stderr
    (wanted,) = re.findall(r"pip install '(.+)'", told)
    assert wanted in installs()
    place.install(wanted)
    assert "All " in place.run("libretto-instrument", "demo").stdout


def test_the_other_extra(place: Place) -> None:
    """The line that the README gives for redaction brings its command."""
    (wanted,) = (what for what in installs() if "pii" in what)
    place.install(wanted)
    (place.folder / "letter.txt").write_text("Write to ada@example.com.\n", "utf-8")
    (command,) = (
        words
        for block in section("Personal data")
        for _, words in commands_of(block)
        if "redact" in words
    )
    assert "<EMAIL_ADDRESS>" in place.run(*command.split()).stdout
    place.run("pip", "check", "--disable-pip-version-check")
