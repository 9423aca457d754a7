"""The recipes of the guide, run as they stand there."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from libretto_instrument import TemplateChat, improve
from libretto_instrument.demo import OfflineModel
from libretto_instrument.improve._case import case_from_event
from libretto_instrument.improve._cases import format_cases
from libretto_instrument.testing import capture_events

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "guide" / "improve.md").read_text("utf-8")
GREETING = '[{"role": "user", "content": "Greet {name}."}]'


def recipe(heading: str, language: str) -> str:
    """Return the last block of a section that is in a language."""
    section = GUIDE.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return section.split(f"```{language}\n")[-1].split("```")[0]


@pytest.fixture
def folder(tmp_path: Path, client: object) -> Path:
    """Return a folder with a file of cases and a module of prompts."""
    with capture_events() as events:
        for name in ("Ada", "Grace", "Joan"):
            client.chat.completions.create(  # type: ignore[attr-defined]
                model="gpt-4o-mini",
                messages=TemplateChat(
                    [{"role": "user", "content": "Greet {name}."}], {"name": name}
                ),
                libretto={"prompt_template_name": "greeting"},
            )
    made = (case_from_event(e, rating=1.0, better_response=None) for e in events)
    cases = [case for case in made if case is not None]
    (tmp_path / "cases.jsonl").write_text("".join(format_cases(cases, "jsonl")))
    (tmp_path / "prompts.py").write_text(f"GREETING = {GREETING}\n")
    assert len(improve.cases(tmp_path / "cases.jsonl")) == 3
    return tmp_path


def run(
    folder: Path, model: OfflineModel, *command: str
) -> "subprocess.CompletedProcess[str]":
    variables = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": model.base_url,
        "LIBRETTO_API_PREFIX": "http://127.0.0.1:9/api",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        [sys.executable, "-m", *command],
        cwd=folder,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def test_the_recipe_for_ci(folder: Path, model: OfflineModel) -> None:
    """The command passes with the prompt that the cases were made with; with another,
    it fails, and the report names the cases.
    """
    command = recipe("In CI", "console").replace("\\\n", " ")
    program, *words = shlex.split(command.removeprefix("$ "))
    assert program == "libretto-instrument"
    done = run(folder, model, "libretto_instrument", *words)
    assert done.returncode == 0, done.stderr
    assert 'failures="0"' in (folder / "replay.xml").read_text()
    assert len((folder / "replay.jsonl").read_text().splitlines()) == 3
    worse = GREETING.replace("Greet", "Insult")
    (folder / "prompts.py").write_text(f"GREETING = {worse}\n")
    failed = run(folder, model, "libretto_instrument", *words)
    assert failed.returncode == 1
    assert (folder / "replay.xml").read_text().count("<failure") == 4


def test_the_workflow_runs_the_same_command() -> None:
    """What the workflow runs is the command above it."""
    workflow = " ".join(recipe("In CI", "yaml").split())
    command = " ".join(recipe("In CI", "console").replace("\\\n", " ").split())
    assert command.removeprefix("$ ") in workflow


def test_the_recipe_for_pytest(folder: Path, model: OfflineModel) -> None:
    """There is a test for each case, which passes, and fails with another prompt."""
    test = recipe("In CI", "python")
    (folder / "test_prompts.py").write_text(test)
    done = run(folder, model, "pytest", "-q", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout
    assert "3 passed" in done.stdout
    (folder / "test_prompts.py").write_text(test.replace("Greet {", "Insult {"))
    failed = run(folder, model, "pytest", "-q", "-p", "no:cacheprovider")
    assert failed.returncode == 1
    assert "3 failed" in failed.stdout
    assert "greeting-" in failed.stdout
