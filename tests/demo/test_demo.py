"""The demonstration as its user sees it."""

import os
import re
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from libretto_instrument import installed
from libretto_instrument.demo import OfflineModel, _scenarios, offline_model
from libretto_instrument.demo._demo import report_result, run
from libretto_instrument.demo._results import check, format_table
from libretto_instrument.demo._scenarios import SCENARIOS, Expected, Scenario

EXPECTED = [expected.prompt for one in SCENARIOS for expected in one.expected]


@pytest.fixture(autouse=True)
def _wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no table be cut, wherever the tests run."""
    monkeypatch.setenv("COLUMNS", "200")


def environment(**changes: str) -> dict[str, str]:
    """The environment less what would send the demonstration elsewhere."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("OPENAI_")}
    return kept | changes


@contextmanager
def demo(*args: str, **changes: str) -> Iterator["subprocess.Popen[str]"]:
    """Run the command, and end it whatever happens."""
    process = subprocess.Popen(
        [sys.executable, "-m", "libretto_instrument", "demo", *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(COLUMNS="120", **changes),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_the_demonstration_reads_back_every_event() -> None:
    """The command ends with status 0, each event in its table and nothing amiss."""
    # Settings of the user's own Libretto must not take the events there.
    own = {"LIBRETTO_REPORTING_URL": "http://127.0.0.1:9/", "LIBRETTO_CHAT_ID": "mine"}
    with demo(**own) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, err) == (0, "")
    rows = [line.split()[0] for line in out.splitlines() if line.startswith("  demo-")]
    assert rows == EXPECTED
    assert "get_weather({" in out
    assert "rated 0.2: " in out
    assert "error: " in out
    assert f"All {len(EXPECTED)} events" in out
    assert "9 better, 1 worse, 2 the same" in out
    assert re.search(r"difference \+0\.67 \(95 %: \+0\.\d+ to", out)
    assert "MISSING" not in out


def test_the_demonstration_can_stay(tmp_path: Path) -> None:
    """With --stay the page answers until Ctrl-C, and the file given is kept."""
    db = tmp_path / "events.db"
    with demo("--stay", "--db", str(db)) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if found := re.search(r"See them at (\S+)", line):
                break
        else:
            pytest.fail("it ended without naming the page")
        with urllib.request.urlopen(found[1], timeout=30) as page:
            assert "demo-sport-emoji" in page.read().decode()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    assert process.returncode == 0
    assert db.exists()


def test_a_file_that_is_given_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each run counts its own events alone, whatever the file holds from earlier."""
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    for _ in range(3):
        assert run(db=tmp_path / "events.db") == 0
        out = capsys.readouterr().out
        assert f"All {len(EXPECTED)} events" in out
        assert "9 better, 1 worse, 2 the same" in out


def test_another_model_may_be_asked(
    model: OfflineModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """OPENAI_BASE_URL says whom to ask; a model without answers makes it fail."""
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setenv("LIBRETTO_TEMPLATE_NAME", "mine")
    status = run(model="offline-error-401")
    out = capsys.readouterr().out
    assert status == 1
    assert model.base_url in out
    assert "FAILED  AuthenticationError" in out
    assert "INCOMPLETE: without response" in out
    assert not installed()
    assert os.environ["LIBRETTO_TEMPLATE_NAME"] == "mine"
    assert "LIBRETTO_API_PREFIX" not in os.environ


@pytest.mark.parametrize("hidden", ["\x1b[2J", "\x9b31m", "\u202e"])
def test_an_answer_does_not_steer_the_terminal(
    hidden: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Control characters of an answer, and the address's password, are not shown."""
    with offline_model(reply=lambda _: f"{hidden}Hello") as model:
        address = model.base_url.replace("//", "//user:hunter2@")
        monkeypatch.setenv("OPENAI_BASE_URL", address)
        monkeypatch.delenv("OPENAI_API_KEY", raising=False)
        run()
    out = capsys.readouterr().out
    assert f"\ufffd{hidden[1:]}Hello" in out
    assert hidden[0] not in out
    assert f"{model.base_url}, with your own key" in out
    assert "hunter2" not in out


def test_a_call_that_should_have_failed_is_told(
    model: OfflineModel,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """If a model that does not exist answers, the demonstration fails and says so."""
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.setattr(_scenarios, "MISSING_MODEL", "there-after-all")
    assert run() == 1
    out = capsys.readouterr().out
    assert "FAILED  RuntimeError" in out
    assert "INCOMPLETE: without responseErrors" in out


@pytest.mark.parametrize(
    ("arrived", "delivered", "status"),
    [(True, True, 0), (True, False, 1), (False, True, 1)],
)
def test_the_exit_status_says_whether_all_arrived(
    arrived: bool, delivered: bool, status: int
) -> None:
    """Only all events read back and nothing left undelivered make a success."""
    results = check([scenario("a")], [row("a")] if arrived else [], set())
    assert report_result(results, delivered) == status


def row(prompt: str, **changes: Any) -> dict[str, Any]:
    """An event as the collector lists it."""
    event = {
        "response": "Hello",
        "rawResponse": {"id": "1"},
        **changes.pop("event", {}),
    }
    return {
        "prompt": prompt,
        "event": event,
        "response_time": 12.3,
        "tokens": 7,
        "rating": None,
        "chain_id": None,
        **changes,
    }


def scenario(*prompts: str, **flags: bool) -> Scenario:
    return Scenario(
        "s", lambda _: None, tuple(Expected(one) for one in prompts), **flags
    )


@pytest.mark.parametrize(
    ("wanted", "rows", "problems"),
    [
        (scenario("a"), [row("a")], [""]),
        (scenario("a"), [], ["it did not arrive"]),
        (scenario("a"), [row("b")], ["it did not arrive"]),
        (scenario("a"), [row("a", event={"response": ""})], ["without response"]),
        (scenario("a", "a"), [row("a")], ["", "it did not arrive"]),
        (scenario("a"), [row("a", event={"response": ""}), row("a")], [""]),
        (scenario("a", expects_rating=True), [row("a")], ["without feedback"]),
        (scenario("a", expects_rating=True), [row("a", rating=0.0)], [""]),
        (scenario("a", expects_chain=True), [row("a", chain_id="c")], [""]),
        (
            scenario("a", expects_chain=True),
            [row("a", chain_id="x")],
            ["without the chain's result"],
        ),
        (
            scenario("a", "b", expects_chain=True),
            [row("a", chain_id="c"), row("b", chain_id="x")],
            ["without the chain's result"] * 2,
        ),
    ],
)
def test_what_is_missing_is_found(
    wanted: Scenario, rows: list[dict[str, Any]], problems: list[str]
) -> None:
    """Each expected event is matched once, and what it lacks is named."""
    results = check([wanted], rows, {"c"})
    assert [result.problem for result in results] == problems


def test_the_table_fits_its_width() -> None:
    """No line is longer than the terminal, however long the answer."""
    rows = [row("a", event={"response": "word " * 99}), row("b", tokens=None)]
    results = check([scenario("a", "b", "c")], rows, set())
    lines = format_table(results, width=80).splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) <= 80
    assert lines[2].endswith("…")
    assert lines[4].endswith("MISSING")
