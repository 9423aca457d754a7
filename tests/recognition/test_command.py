"""The command ``templates``."""

import json
import re
from pathlib import Path
from typing import Any

import openai
import pytest

import libretto_instrument as libretto
from libretto_instrument._cli.main import main
from libretto_instrument.exporters import JsonLinesExporter

pytest.importorskip("starlette", reason="the extra 'collector' is not installed")

from libretto_instrument._collector import running

PRODUCTS = ("tea", "black coffee", "cocoa \x1b[31m")
SLOGAN = [{"role": "user", "content": "A slogan for {product}, please."}]


@pytest.fixture
def source(
    client: openai.OpenAI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Return a database with calls of a program that knows nothing of templates."""
    with running(tmp_path / "libretto.db") as server:
        monkeypatch.setenv("LIBRETTO_API_PREFIX", f"{server.url}/api")
        record(client, api_key="any")
    return str(tmp_path / "libretto.db")


def record(client: openai.OpenAI, **settings: Any) -> None:
    """Make calls, and have them recorded."""
    libretto.install(allow_unnamed_prompts=True, **settings)
    for product in PRODUCTS:
        content = f"A slogan for {product}, please."
        messages: Any = [{"role": "user", "content": content}]
        client.chat.completions.create(model="any", messages=messages)
    assert libretto.flush(10)


def test_proposing(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Templates are proposed, and shown without what a terminal would obey."""
    assert main(["templates", "--from", source]) == 0
    shown = capsys.readouterr()
    assert "(3 calls)" in shown.out
    assert "A slogan for {input}, please." in shown.out
    assert "1 proposed from 3 calls" in shown.err
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", shown.out)


def test_a_file_that_install_takes(
    source: str,
    client: openai.OpenAI,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What --json writes is taken by install(), and by --apply."""
    assert main(["templates", "--from", source, "--json"]) == 0
    path = tmp_path / "templates.json"
    path.write_text(capsys.readouterr().out)
    with running(tmp_path / "libretto.db"):
        assert main(["templates", "--from", source, "--apply", str(path)]) == 0
    assert capsys.readouterr().out.startswith("3 of 3 events")
    assert main(["templates", "--from", source, "--json"]) == 0
    assert capsys.readouterr().out == "{}\n"
    libretto.install(api_key="any", templates=str(path))


def test_other_sources(
    source: str,
    client: openai.OpenAI,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A local Libretto that runs, and a log of calls, are read as well."""
    log = tmp_path / "calls.jsonl"
    record(client, exporters=[JsonLinesExporter(log)])
    libretto.shutdown()
    with running(Path(source)) as server:
        for each in (str(log), server.url):
            assert main(["templates", "--from", each, "--json"]) == 0
            (template,) = json.loads(capsys.readouterr().out).values()
            assert template[0]["content"] == "A slogan for {input}, please."


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--apply", "none.json"], "none.json"),
        (["--apply", "no_such_module"], "no_such_module"),
        (["--min-calls", "1"], "at least 2"),
    ],
)
def test_misuse(
    arguments: list[str],
    message: str,
    source: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Called wrongly, it says so in one line."""
    assert main(["templates", "--from", source, *arguments]) == 2
    assert message in capsys.readouterr().err


def test_applying_to_something_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only a database can be read again."""
    (tmp_path / "calls.jsonl").write_text("")
    source = str(tmp_path / "calls.jsonl")
    assert main(["templates", "--from", source, "--apply", "x.json"]) == 2
    assert "needs a local Libretto's database" in capsys.readouterr().err
