"""The command line."""

import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from libretto_instrument import __version__
from libretto_instrument._cli import main
from libretto_instrument._spool import Spool


def run(*args: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does and wait for its end."""
    return subprocess.run(
        [sys.executable, "-m", "libretto_instrument", *args],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_version_is_told() -> None:
    """--version prints the package's version and nothing else."""
    done = run("--version")
    assert (done.returncode, done.stdout.strip()) == (0, __version__)


def test_help_names_each_command(capsys: pytest.CaptureFixture[str]) -> None:
    """--help lists every command with what it does."""
    with pytest.raises(SystemExit) as ended:
        main.main(["--help"])
    assert ended.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    for command in main.COMMANDS:
        assert f"{command.name} {command.help}" in shown


@pytest.mark.parametrize(
    "argv", [[], ["nonsense"], ["serve", "--port", "70000"], ["serve", "--port", "x"]]
)
def test_a_wrong_call_is_told(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A command line that makes no sense ends with status 2 and how to call it."""
    with pytest.raises(SystemExit) as ended:
        main.main(argv)
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["serve", "demo"])
def test_a_missing_extra_is_told_in_one_line(command: str, tmp_path: Path) -> None:
    """Without the collector extra a command says how to install it, with status 2."""
    # A package that cannot be imported, as if it were not installed.
    hide = "import sys; sys.modules.update(starlette=None, uvicorn=None, jinja2=None)"
    code = f"{hide}; from libretto_instrument._cli.main import main; sys.exit(main())"
    done = subprocess.run(
        [sys.executable, "-c", code, command],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(Path(main.__file__).parents[2])},
    )
    assert done.returncode == 2
    assert "pip install 'libretto-instrument[collector]'" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_imports_nothing_heavy() -> None:
    """The command line starts without openai, an HTTP library or the extras."""
    code = (
        "import sys, libretto_instrument._cli.main as main\n"
        "try: main.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'openai', 'httpx', 'starlette', 'uvicorn', 'jinja2'}\n"
        "print('heavy:', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "heavy: []"


def test_serve_answers_until_it_is_stopped(tmp_path: Path) -> None:
    """The serve command says where it listens, answers there, and ends on Ctrl-C."""
    command = [sys.executable, "-u", "-m", "libretto_instrument", "serve"]
    serving = subprocess.Popen(
        [*command, "--port", "0", "--db", str(tmp_path / "events.db")],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        assert serving.stdout is not None
        for line in serving.stdout:
            if found := re.search(r"http://127\.0\.0\.1:[1-9]\d*", line):
                break
        else:
            pytest.fail("it ended without saying where it listens")
        with urllib.request.urlopen(found[0] + "/api/events", timeout=30) as answer:
            assert answer.status == 200
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=30)
    finally:
        serving.kill()
        serving.communicate()
    assert (tmp_path / "events.db").exists()


def test_serving_others_takes_keys() -> None:
    """Beyond loopback the serve command asks for a key and a token, with status 2."""
    done = run("serve", "--host", "0.0.0.0", "--port", "0", "--api-key", "only-one")
    assert done.returncode == 2
    assert "--token" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_port_that_is_taken_is_told() -> None:
    """A port in use ends the command with one line, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("demo", "--port", port)
    assert done.returncode == 2
    assert "in use" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["redact", "{tmp}/nowhere"], "- for what comes by a pipe"),
        (["redact", "{tmp}"], "- for what comes by a pipe"),
        (["redact", "{tmp}/latin"], "not UTF-8 text"),
        (["spool", "ls", "--spool", "{tmp}"], "LIBRETTO_SPOOL_DIR"),
        (["spool", "ls", "--spool", "{tmp}/foreign"], "doctor --spool"),
        (["spool", "retry"], "--spool DIR"),
        (["relay"], "--spool DIR"),
        (["relay", "--spool", "{tmp}/latin"], "of this user's own"),
        (["relay", "--spool", "{tmp}/foreign"], "chmod 700"),
        (["relay", "--spool", "{tmp}/new", "--max-size", "lots"], "2GB"),
        (["relay", "--spool", "{tmp}/new", "--max-age", "long"], "30d"),
        (["serve", "--port", "0", "--db", "{tmp}/no/such/folder"], "Cannot open"),
        (
            ["serve", "--port", "0", "--db", "{tmp}/db", "--retention", "x"],
            "24h or 30d",
        ),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_cannot_be_says_what_to_do(
    argv: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command that cannot run here says what to do instead, with status 2."""
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign").chmod(0o777)
    status = main.main([part.format(tmp=tmp_path) for part in argv])
    told = capsys.readouterr()
    assert (status, told.out) == (2, "")
    assert told.err.startswith(f"libretto-instrument {argv[0]}: ")
    assert said in told.err
    assert not list((tmp_path / "foreign").iterdir())


def test_a_relay_keeps_to_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How much a relay lets its spool hold, and for how long, can be said."""
    bounds: list[tuple[int, float]] = []

    def relay(spool: Spool, *_: object, **__: object) -> bool:
        bounds.append((spool.max_bytes, spool.max_age))
        return True

    monkeypatch.setattr("libretto_instrument._cli.relay.run_relay", relay)
    command = ["relay", "--spool", str(tmp_path / "spool")]
    assert main.main(command) == 0
    assert main.main([*command, "--max-size", "2GB", "--max-age", "30d"]) == 0
    assert bounds == [(512 * 2**20, 7 * 86400.0), (2 * 2**30, 30 * 86400)]


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "soon"])
def test_no_number_of_seconds(seconds: str, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid time is reported before anything begins."""
    with pytest.raises(SystemExit) as ended:
        main.main(["relay", "--spool", "unused", f"--drain-timeout={seconds}"])
    assert ended.value.code == 2
    assert "--drain-timeout" in capsys.readouterr().err


def test_a_reader_that_has_seen_enough() -> None:
    """What is piped into a command that stops reading ends without a word."""
    command = f"{sys.executable} -m libretto_instrument redact - | true"
    done = subprocess.run(
        ["sh", "-c", command],
        input="nothing personal " * 100_000,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.parametrize(
    "command",
    [
        ["cases", "--from", "calls.jsonl"],
        ["templates", "--from", "calls.jsonl"],
        ["doctor"],
        ["replay", "cases.jsonl"],
    ],
    ids=lambda words: words[0],
)
def test_streams_that_are_closed(command: list[str], tmp_path: Path) -> None:
    """A command that was started without its streams ends as it would have."""
    (tmp_path / "calls.jsonl").touch()
    case = '{"id": "1", "template": "Hi", "target": "t"}\n'
    (tmp_path / "cases.jsonl").write_text(case)
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [
            *("sh", "-c", 'exec "$@" <&- >&-', "sh"),
            *(sys.executable, "-m", "libretto_instrument", *command),
        ],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": root, "OPENAI_API_KEY": "sk-test"},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1, 2)
    if command[0] == "replay":
        assert "--yes" in done.stderr


@pytest.mark.parametrize(
    "url",
    [
        "user:hunter2@host",
        "ftp://user:hunter2@host",
        "https://user:hunter2@host:port",
        "https://user:hunter2/x@host/api",
        "https://user:hunter2#x@host/api",
        "https://user:hunter2?x@host/api",
        "https://user:hunter2\u2100@host/api",
    ],
)
def test_no_password_of_an_address_is_told(
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An address that can't be used is reported without its password."""
    spool = str(tmp_path / "spool")
    assert main.main(["relay", "--spool", spool, "--api-prefix", url]) == 2
    monkeypatch.setenv("LIBRETTO_API_PREFIX", url)
    assert main.main(["run", "-c", "pass"]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 2
    assert "hunter2" not in told
