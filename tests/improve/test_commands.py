"""The commands ``cases`` and ``replay``, run as a user runs them."""

import json
import os
import select
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from attrs import frozen
from support.scripted import DEADLINE

from libretto_instrument import _collector, improve
from libretto_instrument._cli import main
from libretto_instrument.improve._cases import format_cases

from .models import RuledModel, case, last_words
from .recorded import event, feedback, write_log

ROOT = Path(__file__).parents[2]
NOWHERE = "http://127.0.0.1:9"
Run = Callable[..., "Done"]


def rule(body: dict[str, Any]) -> Any:
    """Answer right when the prompt is polite, and fail for number 7."""
    words = last_words(body)
    if words.endswith("7"):
        return 400, {}
    return f"is {words.split()[-1]}" if "please" in words else "no"


@pytest.fixture
def model() -> Iterator[RuledModel]:
    with RuledModel(rule) as running:
        yield running


@pytest.fixture
def environment(model: RuledModel, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a user who has a key, and no local Libretto."""
    kept = {name: os.environ[name] for name in os.environ if name[:3] != "COV"}
    return {
        **kept,
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": model.url,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "LIBRETTO_API_KEY": "key-of-the-service",
    }


@frozen
class Done:
    """What a command did.

    Attributes:
        returncode: Its exit status.
        stdout: What it printed.
        stderr: What it said beside that.
    """

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run(
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Return what runs a command in a directory of its own."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "LIBRETTO_API_KEY"):
        monkeypatch.setenv(name, environment[name])
    for name in ("LIBRETTO_SPOOL_DIR", "LIBRETTO_SPOOL_ONLY"):
        monkeypatch.setenv(name, "")
    monkeypatch.setattr("libretto_instrument.improve._stores.LOCAL", NOWHERE)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Done:
        capsys.readouterr()
        status = main.main(words)
        return Done(status, *capsys.readouterr())

    return run


@pytest.fixture
def shell(environment: dict[str, str], tmp_path: Path) -> Callable[..., Any]:
    """Return what runs a command in a process of its own."""

    def run(*words: str, **changes: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "libretto_instrument", *words],
            cwd=tmp_path,
            env=environment | changes,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    return run


@pytest.fixture
def cases_file(tmp_path: Path) -> Path:
    """Return a file of six cases, recorded answers wrong for the first four."""
    cases = [case(n, answer="was" if n < 4 else f"is {n}") for n in range(6)]
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(format_cases(cases, "jsonl")))
    return path


@pytest.fixture
def polite(tmp_path: Path) -> str:
    path = tmp_path / "polite.json"
    path.write_text('[{"role": "user", "content": "please {number}"}]')
    return "polite.json"


# cases


def test_cases_of_a_log(run: Run, tmp_path: Path) -> None:
    """Cases go to the standard output, or to a file; what is to be said, beside it."""
    bodies = [event(0), event(1), feedback(0, rating=1), feedback(1, rating=0.1)]
    write_log(tmp_path / "calls.jsonl", *bodies)
    done = run("cases", "--from", "calls.jsonl")
    assert done.returncode == 0, done.stderr
    (line,) = done.stdout.splitlines()
    assert json.loads(line)["target"] == "Hello, Ada 0!"
    assert "1 case (0 corrected, 1 rated)" in done.stderr
    assert "warning: nothing in them was redacted" in done.stderr
    options = ("--rating", "0", "--format", "csv", "-o", "cases.csv")
    written = run("cases", "--from", "calls.jsonl", *options)
    assert (written.returncode, written.stdout) == (0, "")
    rows = (tmp_path / "cases.csv").read_text().splitlines()
    assert rows[0] == "name,targetOutput"
    assert len(rows) == 3
    none = run("cases", "--from", "calls.jsonl", "--since", "1h", "--prompt", "absent")
    assert (none.returncode, none.stdout) == (0, "")
    assert "0 cases" in none.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("cases", "--from", "http://user:hunter2@127.0.0.1:9"),
        ("cases", "--from", "http://127.0.0.1:9/?token=hunter2"),
        ("cases",),
        ("templates", "--from", "http://127.0.0.1:9/?token=hunter2", "--apply", "x"),
        ("replay", "http://user:hunter2@127.0.0.1:9", "--yes"),
        ("replay", "cases.jsonl", "--to", "http://user:hunter2@127.0.0.1:9", "--yes"),
    ],
)
def test_secrets_of_an_address_are_not_told(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    """A message about an address names it without its password and token."""
    prefix = "http://user:hunter2@127.0.0.1:9/api"
    monkeypatch.setenv("LIBRETTO_API_PREFIX", prefix)
    (tmp_path / "cases.jsonl").write_text(case(1).to_json())
    done = run(*words)
    assert done.returncode == 2
    assert "http://127.0.0.1:9" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_a_token_is_not_told_with_a_case_that_is_not_there(
    run: Run, tmp_path: Path
) -> None:
    """A case that an address does not have is reported without the address's token."""
    with _collector.running(tmp_path / "libretto.db", token="hunter2" * 3) as libretto:
        source = f"{libretto.url}/?token={'hunter2' * 3}"
        done = run("replay", source, "--case", "absent", "--yes")
    assert f"no case absent in {libretto.url}" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_cases_go_where_a_link_leads(run: Run, tmp_path: Path) -> None:
    """A link that is named as the output stays a link, and its file is written."""
    write_log(tmp_path / "calls.jsonl", event(0), feedback(0, rating=1))
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "cases.jsonl").write_text("old\n")
    (tmp_path / "link.jsonl").symlink_to("kept/cases.jsonl")
    assert run("cases", "--from", "calls.jsonl", "-o", "link.jsonl").returncode == 0
    assert (tmp_path / "link.jsonl").is_symlink()
    assert '"Hello, Ada 0!"' in (tmp_path / "kept" / "cases.jsonl").read_text()


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o400])
def test_a_file_that_others_may_not_read_stays_so(
    run: Run, tmp_path: Path, mode: int
) -> None:
    """A file of cases that is written again keeps its permissions."""
    write_log(tmp_path / "calls.jsonl", event(0), feedback(0, rating=1))
    output = tmp_path / "cases.jsonl"
    output.write_text("old\n")
    output.chmod(mode)
    done = run("cases", "--from", "calls.jsonl", "-o", "cases.jsonl")
    assert done.returncode == 0, done.stderr
    assert output.stat().st_mode & 0o777 == mode
    assert '"Hello, Ada 0!"' in output.read_text()


@pytest.mark.parametrize("kind", ["pipe", "terminal"])
def test_cases_go_into_what_is_no_file(run: Run, tmp_path: Path, kind: str) -> None:
    """A pipe or a device that is named as the output is written to, not replaced."""
    write_log(tmp_path / "calls.jsonl", event(0), feedback(0, rating=1))
    if kind == "pipe":
        output = str(tmp_path / "pipe")
        os.mkfifo(output)
        reading = held = os.open(output, os.O_RDWR)
    else:
        reading, held = os.openpty()
        output = os.ttyname(held)
    try:
        assert run("cases", "--from", "calls.jsonl", "-o", output).returncode == 0
        assert select.select([reading], [], [], DEADLINE)[0]
        assert b'"Hello, Ada 0!"' in os.read(reading, 10_000)
        assert not Path(output).is_file()
    finally:
        for descriptor in {reading, held}:
            os.close(descriptor)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--from", "absent.db"], "absent.db"),
        (["--from", "http://127.0.0.1:9"], "does not answer"),
        (["--from", "calls.jsonl", "--since", "ages"], "ages"),
        (["--from", "calls.jsonl", "--since", ""], "invalid duration"),
        (["--from", "calls.jsonl", "--limit", "-1"], "limit"),
        (["--from", "calls.jsonl", "-o", "no/where"], "no/where"),
    ],
)
def test_cases_that_can_not_be_had(
    run: Run, tmp_path: Path, words: list[str], problem: str
) -> None:
    """A source or a file that can't be used is reported in a line, with status 2."""
    write_log(tmp_path / "calls.jsonl", event(0), feedback(0, rating=1))
    done = run("cases", *words)
    assert done.returncode == 2
    assert problem in done.stderr
    assert "Traceback" not in done.stderr


# replay


def test_a_replay(
    run: Run, model: RuledModel, cases_file: Path, polite: str, tmp_path: Path
) -> None:
    """What it takes is said first; then a table, a summary, and what was recorded."""
    done = run(
        "replay", cases_file.name, "--template", polite, "--yes", "--to", "r.jsonl"
    )
    assert done.returncode == 0, done.stderr
    assert "6 calls of gpt-test, roughly 120 tokens" in done.stderr
    assert "4 better, 0 worse, 2 the same" in done.stdout
    assert len(model.requests) == 6
    assert len((tmp_path / "r.jsonl").read_text().splitlines()) == 6


def test_a_gate(run: Run, cases_file: Path, polite: str, tmp_path: Path) -> None:
    """Below the score that is asked for it fails with 1, and the report says so."""
    words = ["replay", cases_file.name, "--yes", "--fail-under", "0.9"]
    good = run(*words, "--template", polite, "--junit", "good.xml")
    assert good.returncode == 0, good.stderr
    bad = run(*words, "--junit", "bad.xml", "--json")
    assert bad.returncode == 1
    assert "the mean score 0.00 is below 0.9" in bad.stderr
    assert json.loads(bad.stdout)["summary"]["worse"] == 2
    (suite,) = ElementTree.parse(tmp_path / "bad.xml").getroot()
    assert suite.get("failures") == "3"
    assert (tmp_path / "good.xml").exists()


def test_against_another(run: Run, cases_file: Path, polite: str) -> None:
    """Worse than another replay beyond the interval fails; better does not."""
    options = ("--yes", "--to", "r.jsonl", "--json")
    first = run("replay", cases_file.name, "--template", polite, *options)
    identity = json.loads(first.stdout)["id"]
    worse = run("replay", cases_file.name, "--against", identity, *options)
    assert worse.returncode == 1
    assert f"failed: worse than {identity}" in worse.stderr
    again = ("replay", cases_file.name, "--template", polite, *options)
    assert run(*again, "--against", identity).returncode == 0
    absent = run(*again, "--against", "absent")
    assert absent.returncode == 2
    assert "There is no replay absent" in absent.stderr


def test_an_error_is_a_result(run: Run, tmp_path: Path, polite: str) -> None:
    """A call that fails is reported; if all fail, so does the command."""
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(format_cases([case(6), case(7)], "jsonl")))
    done = run("replay", "cases.jsonl", "--template", polite, "--yes")
    assert done.returncode == 0
    assert "1 better" in done.stdout
    assert "1 failed" in done.stdout
    path.write_text("".join(format_cases([case(7)], "jsonl")))
    failed = run("replay", "cases.jsonl", "--yes")
    assert failed.returncode == 1
    assert "every call failed" in failed.stderr


def test_it_asks_first(run: Run, model: RuledModel, cases_file: Path) -> None:
    """Without a terminal --yes has to be given; nothing is sent before."""
    done = run("replay", cases_file.name)
    assert done.returncode == 2
    assert "--yes" in done.stderr
    assert model.requests == []


def test_nothing_of_it_is_lost(
    environment: dict[str, str], cases_file: Path, tmp_path: Path, shell: Run
) -> None:
    """Interrupted, it prints what there is and how to go on; that makes the rest."""
    left = 2

    def stop(body: dict[str, Any]) -> str:
        nonlocal left
        left -= 1
        if left == 0:
            process.send_signal(signal.SIGINT)
        return "no"

    with RuledModel(stop) as slow:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "libretto_instrument", "replay"),
                *(cases_file.name, "--yes", "--concurrency", "1", "--to", "r.jsonl"),
            ],
            cwd=tmp_path,
            env={**environment, "OPENAI_BASE_URL": slow.url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        out, err = process.communicate(timeout=DEADLINE * 3)
    assert process.returncode == 130, err
    assert "broken off before its end" in out
    made = len((tmp_path / "r.jsonl").read_text().splitlines())
    assert 1 <= made < 6
    command = err.strip().splitlines()[-1].split()
    assert command[0] == "libretto-instrument"
    with RuledModel(lambda body: "no") as whole:
        done = shell(*command[1:], OPENAI_BASE_URL=whole.url)
        assert len(whole.requests) == 6 - made
    assert done.returncode == 0, done.stderr


BAD = [
    (["absent.jsonl"], "absent.jsonl"),
    (["empty.jsonl"], "no cases"),
    (["malformed.jsonl"], "malformed.jsonl, line 2"),
    (["cases.jsonl", "--set", "temprature=0"], "temprature"),
    (["cases.jsonl", "--set", "temperature"], "NAME=VALUE"),
    (["cases.jsonl", "--unset", "seed"], "seed"),
    (["cases.jsonl", "--template", "absent.json"], "absent.json"),
    (["cases.jsonl", "--template", "absent_module:NAME"], "absent_module"),
    (["cases.jsonl", "--template", "needy.json"], "'tone', which case case-0000 lacks"),
    (["cases.jsonl", "--template", "object.json"], "not dict"),
    (["cases.jsonl", "--template", "broken.json"], "broken.json is not a template"),
    (["cases.jsonl", "--score", "best"], "exact"),
    (["cases.jsonl", "--score", "absent_module:f"], "absent_module"),
    (["cases.jsonl", "--times", "0"], "at least 1"),
    (["cases.jsonl", "--junit", "no/where.xml"], "no/where.xml"),
    (["cases.jsonl", "--junit", "."], "'.' is not a file"),
    (["cases.jsonl", "--junit", ""], "'' is not a file"),
    (["cases.jsonl", "--template", ""], "there is no template ''"),
    (["cases.jsonl", "--against", ""], "There is no replay"),
    (["cases.jsonl", "--to", ""], "directory"),
    (["cases.jsonl", "--to", "."], "Is a directory"),
    (["cases.jsonl", "--template", "raising:NAME"], "RuntimeError: not today"),
    (["cases.jsonl", "--template", "exiting:NAME"], "SystemExit: 4"),
    (["cases.jsonl", "--score", "unfinished:f"], "SyntaxError"),
    (["cases.jsonl", "--to", "http://127.0.0.1:9"], "does not answer"),
    (["cases.jsonl", "--resume", "absent"], "another template"),
]


@pytest.mark.parametrize(("words", "problem"), BAD, ids=lambda it: it[-1][:20])
def test_bad_input(
    run: Run,
    model: RuledModel,
    cases_file: Path,
    tmp_path: Path,
    words: list[str],
    problem: str,
) -> None:
    """What can't be done is said in a line, with status 2, before anything is sent."""
    (tmp_path / "empty.jsonl").write_text("")
    first = cases_file.read_text().splitlines()[0]
    (tmp_path / "malformed.jsonl").write_text(f"{first}\n{first[:-5]}\n")
    (tmp_path / "needy.json").write_text('[{"role": "user", "content": "{tone}"}]')
    (tmp_path / "object.json").write_text('{"role": "user"}')
    (tmp_path / "broken.json").write_text("[")
    (tmp_path / "raising.py").write_text("raise RuntimeError('not today')")
    (tmp_path / "exiting.py").write_text("raise SystemExit(4)")
    (tmp_path / "unfinished.py").write_text("f = (")
    done = run("replay", *words, "--yes")
    assert done.returncode == 2, done.stdout + done.stderr
    assert problem in done.stderr
    assert "Traceback" not in done.stderr
    assert model.requests == []


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_template_in_a_text_file(
    run: Run, model: RuledModel, cases_file: Path, tmp_path: Path, end: bytes
) -> None:
    """The line end that editors put after the last line is no part of a template."""
    text = b"\xef\xbb\xbfHello!\nplease {number}"
    (tmp_path / "polite.txt").write_bytes(text + end)
    run("replay", cases_file.name, "--template", "polite.txt", "--yes")
    assert "Hello!\nplease 0" in [last_words(each.json) for each in model.requests]


def test_a_template_that_fails_on_one_case(
    run: Run, model: RuledModel, tmp_path: Path
) -> None:
    """A case without what the template needs is named, and how many more there are."""
    cases = [case(n, params={"number": str(n), "tone": "x"}) for n in range(30)]
    cases[17] = case(17)
    cases[20] = case(20)
    (tmp_path / "cases.jsonl").write_text("".join(format_cases(cases, "jsonl")))
    (tmp_path / "needy.json").write_text('[{"role": "user", "content": "{tone}"}]')
    done = run("replay", "cases.jsonl", "--template", "needy.json", "--yes")
    assert done.returncode == 2
    assert "'tone', which case case-0017 lacks (and 1 more)" in done.stderr
    assert model.requests == []


def test_no_key(run: Run, cases_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a key the variable is named."""
    monkeypatch.delenv("OPENAI_API_KEY")
    done = run("replay", cases_file.name, "--yes")
    assert done.returncode == 2
    assert "OPENAI_API_KEY" in done.stderr


def test_a_scorer_that_fails(
    run: Run, cases_file: Path, polite: str, tmp_path: Path
) -> None:
    """The run goes on, the case is reported, and the status is 2."""
    (tmp_path / "judge_of_a_test.py").write_text(
        "def judge(case, answer):\n"
        "    if answer.endswith('3'):\n"
        "        raise LookupError('no such word')\n"
        "    return 1.0\n"
    )
    words = ("replay", cases_file.name, "--template", polite, "--yes")
    done = run(*words, "--score", "judge_of_a_test:judge")
    assert done.returncode == 2
    assert "1 not scored: case case-0003: LookupError: no such word" in done.stderr
    assert "5 the same, 1 not scored" in done.stdout


def test_a_template_of_a_module(
    run: Run, model: RuledModel, cases_file: Path, tmp_path: Path
) -> None:
    """A template may be a name of a module, a template object included."""
    (tmp_path / "prompts_of_a_test.py").write_text(
        "from libretto_instrument import TemplateChat\n"
        "chat = [{'role': 'user', 'content': 'please {number}'}]\n"
        "POLITE = TemplateChat(chat, {'number': 0})\n"
    )
    done = run(
        "replay", cases_file.name, "--template", "prompts_of_a_test:POLITE", "--yes",
        "--set", "temperature=0", "--set", "user=ada", "--model", "gpt-new",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "4 better" in done.stdout
    body = model.requests[0].json
    assert body["temperature"] == 0
    assert (body["user"], body["model"]) == ("ada", "gpt-new")


def test_a_database_is_read_and_recorded_into(
    run: Run, model: RuledModel, tmp_path: Path
) -> None:
    """The cases of a database are replayed, and the calls recorded into it; they are
    no cases of their own.
    """
    collector = pytest.importorskip(
        "libretto_instrument._collector", reason="needs the extra 'collector'"
    )
    import httpx

    with collector.running(tmp_path / "libretto.db") as libretto:
        for number in range(3):
            body = {"apiKey": "k", **event(number)}
            httpx.post(f"{libretto.url}/api/event", json=body).raise_for_status()
            told = {"apiKey": "k", **feedback(number, better_response="no")}
            httpx.post(f"{libretto.url}/api/feedback", json=told).raise_for_status()
    done = run("replay", "libretto.db", "--yes")
    assert done.returncode == 0, done.stderr
    assert "3 better" in done.stdout
    assert "serve --db libretto.db" in done.stderr
    assert len(model.requests) == 3
    listed = run("cases")
    assert len(listed.stdout.splitlines()) == 3


@pytest.mark.parametrize("name", ["store.sqlite3", "events", "calls.jsonl"])
def test_a_database_of_any_name(
    run: Run, model: RuledModel, tmp_path: Path, name: str
) -> None:
    """A database is recorded into as one, whatever it is called, and stays one."""
    pytest.importorskip(
        "libretto_instrument._collector", reason="needs the extra 'collector'"
    )
    import httpx

    with _collector.running(tmp_path / name) as libretto:
        body = {"apiKey": "k", **event()}
        httpx.post(f"{libretto.url}/api/event", json=body).raise_for_status()
        told = {"apiKey": "k", **feedback(better_response="no")}
        httpx.post(f"{libretto.url}/api/feedback", json=told).raise_for_status()
    (found,) = improve.cases(str(tmp_path / name))
    with pytest.raises(ValueError, match="is a database"):
        improve.replay(found, to=str(tmp_path / name))
    assert model.requests == []
    assert run("replay", name, "--yes").returncode == 0
    done = run("replay", name, "--yes", "--to", name)
    assert done.returncode == 0, done.stderr
    assert f"serve --db {name}" in done.stderr
    with sqlite3.connect(tmp_path / name) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        (replays,) = db.execute("SELECT count(DISTINCT replay) FROM events").fetchone()
    assert replays == 2
    assert b'"kind"' not in (tmp_path / name).read_bytes()[-2_000:]


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "cases.pipe", "--yes"),
        ("cases", "--from", "cases.pipe"),
        ("templates", "--from", "cases.pipe"),
    ],
    ids=" ".join,
)
@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_a_pipe_is_no_source(
    run: Run, model: RuledModel, tmp_path: Path, words: tuple[str, ...]
) -> None:
    """What can be read only once is refused, instead of read in part."""
    os.mkfifo(tmp_path / "cases.pipe")
    done = run(*words)
    assert done.returncode == 2
    assert "cases.pipe is no file" in done.stderr
    assert model.requests == []


@pytest.mark.parametrize("key", ["another", "", "o" * 19])
def test_a_place_that_refuses_the_key(
    run: Run,
    model: RuledModel,
    cases_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    key: str,
) -> None:
    """No call is paid for that a local Libretto with another key would not keep."""
    expected = "o" * 20
    with _collector.running(tmp_path / "libretto.db", api_key=expected) as libretto:
        words = ("replay", cases_file.name, "--yes", "--to", libretto.url)
        monkeypatch.setenv("LIBRETTO_API_KEY", key)
        done = run(*words)
        assert done.returncode == 2
        assert "another apiKey)." in done.stderr
        assert model.requests == []
        monkeypatch.setenv("LIBRETTO_API_KEY", expected)
        done = run(*words)
        assert done.returncode == 0, done.stderr
        assert len(model.requests) == 6


TEMPLATES = """
import datetime
from types import MappingProxyType
NAMED = {"role": "user", "content": "please {number}"}
FROZEN = [MappingProxyType(NAMED)]
DATED = [{**NAMED, "name": datetime.date(2030, 1, 31)}]
BYTES = [{**NAMED, "name": b"x"}]
"""


@pytest.mark.parametrize("name", ["FROZEN", "DATED", "BYTES"])
def test_a_template_that_is_no_json(
    run: Run, cases_file: Path, tmp_path: Path, name: str
) -> None:
    """Whatever a module's template holds, the report on paid calls is printed."""
    (tmp_path / "frozen.py").write_text(TEMPLATES)
    words = ("--template", f"frozen:{name}", "--set", "temperature=NaN")
    done = run("replay", cases_file.name, *words, "--yes", "--json")

    def refuse(text: str) -> None:
        raise ValueError(text)

    report = json.loads(done.stdout, parse_constant=refuse)
    assert report["summary"]["cases"] == 6


@pytest.mark.parametrize("words", [(), ("--json",)])
def test_a_report_is_written_though_nobody_reads_the_table(
    environment: dict[str, str], cases_file: Path, tmp_path: Path, words: tuple[str]
) -> None:
    """A reader that leaves, such as head, costs no report; a full disk no table."""
    command = (sys.executable, "-m", "libretto_instrument", "replay", cases_file.name)
    process = subprocess.Popen(
        [*command, "--yes", "--junit", "report.xml", *words],
        cwd=tmp_path,
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.wait(60) == 141
    assert ElementTree.parse(tmp_path / "report.xml")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device")
def test_a_table_is_printed_though_the_report_can_not_be_written(
    run: Run, cases_file: Path
) -> None:
    """What was paid for is shown, and the failure said."""
    done = run("replay", cases_file.name, "--yes", "--junit", "/dev/full")
    assert done.returncode == 2
    assert "No space left" in done.stderr
    assert "scored by exact" in done.stdout


@pytest.mark.parametrize("answer", ["\x1b[2Jgone", "half \ud800 of a pair", "\x9b1A\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_any_answer_can_be_shown(
    shell: Callable[..., Any], tmp_path: Path, answer: str, encoding: str
) -> None:
    """No answer moves a terminal's cursor, nor is it too odd for its encoding."""
    with RuledModel(lambda body: answer) as odd:
        (tmp_path / "cases.jsonl").write_text("".join(format_cases([case(0)], "jsonl")))
        done = shell(
            *("replay", "cases.jsonl", "--yes", "--junit", "report.xml"),
            OPENAI_BASE_URL=odd.url,
            PYTHONIOENCODING=encoding,
        )
    assert done.returncode == 0, done.stderr
    assert "1 the same" in done.stdout
    assert not set("\x1b\x9b\r") & {*done.stdout, *done.stderr}
    assert ElementTree.parse(tmp_path / "report.xml")
