"""Broken set-ups, made for real, and what the doctor says of each."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
import venv
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import wrapt
from attrs import frozen
from openai.resources.chat.completions import Completions
from support.backend import Backend, garbage, hang, redirect, status
from support.spooling import append, read
from support.tls import self_signed
from support.waiting import eventually

from libretto_instrument import _capture, _collector
from libretto_instrument._cli import main
from libretto_instrument._spool import Spool

ROOT = Path(__file__).parents[2]
KEY = "key-that-nobody-may-see"
EXAMINE = ("-m", "libretto_instrument", "doctor")


@frozen
class Told:
    """What the doctor told.

    Attributes:
        status: The exit status.
        facts: All of it.
    """

    status: int
    facts: dict[str, Any]

    @property
    def levels(self) -> dict[str, str]:
        """The level of each finding, by its id."""
        return {each["id"]: each["level"] for each in self.facts["diagnoses"]}

    def finding(self, name: str) -> dict[str, str]:
        """A finding by its id."""
        (found,) = (each for each in self.facts["diagnoses"] if each["id"] == name)
        return found


Doctor = Callable[..., Told]


@pytest.fixture
def doctor(
    monkeypatch: pytest.MonkeyPatch,
    backend: Backend,
    capsys: pytest.CaptureFixture[str],
) -> Doctor:
    """Return the doctor, with a set-up that only the test breaks."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith("LIBRETTO_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("LIBRETTO_API_PREFIX", backend.url)
    monkeypatch.setenv("LIBRETTO_API_KEY", KEY)
    monkeypatch.setenv("LIBRETTO_TEMPLATE_NAME", "any")

    def examine(*args: str, **changes: str | None) -> Told:
        for name, value in changes.items():
            if value is None:
                monkeypatch.delenv(name)
            else:
                monkeypatch.setenv(name, value)
        ended = main.main(["doctor", "--json", *args])
        said = capsys.readouterr()
        assert said.err == ""
        assert KEY not in said.out
        return Told(ended, json.loads(said.out))

    return examine


# A good one


def test_a_good_set_up(doctor: Doctor, backend: Backend, tmp_path: Path) -> None:
    """With all as it should be nothing is found, and nothing is stored or changed."""
    before = Completions.__dict__["create"]
    told = doctor("--spool", str(tmp_path / "not" / "yet"))
    assert (told.status, told.facts["diagnoses"]) == (0, [])
    assert Completions.__dict__["create"] is before
    assert not _capture.is_patched()
    assert told.facts["openai"]["can be recorded"] > 5
    assert told.facts["endpoints"]["event"]["status"] == 200
    assert not list(tmp_path.iterdir())
    (asked,) = backend.received
    assert (asked.stored, asked.body) == (False, b"")
    assert KEY not in str(asked)


def test_the_probe_stores_nothing_in_the_collector(
    doctor: Doctor, tmp_path: Path
) -> None:
    """Our own collector answers the probe, and has no event of it."""
    with _collector.running(tmp_path / "events.db") as libretto:
        told = doctor(LIBRETTO_API_PREFIX=f"{libretto.url}/api")
        with urllib.request.urlopen(f"{libretto.url}/api/events", timeout=30) as answer:
            assert json.load(answer)["events"] == []
    assert (told.status, told.facts["diagnoses"]) == (0, [])
    assert told.facts["endpoints"]["event"]["status"] == 405


def test_to_be_read(
    doctor: Doctor, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """To people it tells each fact, each finding and what to do, but no key."""
    monkeypatch.delenv("LIBRETTO_TEMPLATE_NAME")
    monkeypatch.setenv("LIBRETTO_ENABLED", "no")
    assert main.main(["doctor", "--chat-id", "mine"]) == 1
    said = capsys.readouterr().out
    assert "api_key                set (LIBRETTO_API_KEY)" in said
    assert "chat_id                mine (--chat-id)" in said
    assert "sample_rate            1.0 (default)" in said
    assert "answers (HTTP 200)" in said
    assert "Warning no-template-name: " in said
    assert "PROBLEM switched-off: " in said
    assert "Unset LIBRETTO_ENABLED." in said
    assert said.endswith("\n1 problem.\n")
    assert KEY not in said


def test_called_wrongly() -> None:
    """An option that there is not ends it with status 2."""
    with pytest.raises(SystemExit) as ended:
        main.main(["doctor", "--nonsense"])
    assert ended.value.code == 2


# Settings

ENVIRONMENTS: dict[str, dict[str, Any]] = {
    "no-api-key": {"LIBRETTO_API_KEY": None},
    "malformed-key": {"LIBRETTO_API_KEY": f'"{KEY}"'},
    "malformed-address": {"LIBRETTO_API_PREFIX": "app.getlibretto.com/api"},
    "malformed-variable": {"LIBRETTO_REDACT_PII": "perhaps"},
    "switched-off": {"LIBRETTO_ENABLED": "0"},
    "nothing-sampled": {"LIBRETTO_SAMPLE_RATE": "0"},
    "no-spool": {"LIBRETTO_SPOOL_ONLY": "1"},
    "endpoint-dns": {"LIBRETTO_API_PREFIX": "http://libretto.invalid/api"},
}
DOUBTFUL: dict[str, dict[str, Any]] = {
    "no-template-name": {"LIBRETTO_TEMPLATE_NAME": None},
    "unknown-variable": {"LIBRETTO_APIKEY": KEY},
}


@pytest.mark.parametrize("name", [*ENVIRONMENTS, *DOUBTFUL])
def test_a_broken_environment(name: str, doctor: Doctor) -> None:
    """What is wrong with the environment is named, with what to do; it alone."""
    told = doctor(**(ENVIRONMENTS | DOUBTFUL)[name])
    level, ended = ("warning", 0) if name in DOUBTFUL else ("problem", 1)
    plain = {"plain-http": "warning"} if name == "endpoint-dns" else {}
    assert told.levels == {name: level, **plain}
    assert told.status == ended
    assert told.finding(name)["remedy"]


@pytest.mark.parametrize("source", ["no_such_module", "7.json", "doctored:NAME"])
def test_templates_that_are_none(
    source: str, doctor: Doctor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A variable that names no templates is a finding, whatever it names."""
    monkeypatch.chdir(tmp_path)
    Path("7.json").write_text('{"t": 7}')
    told = doctor(LIBRETTO_TEMPLATES=source)
    assert told.levels == {"malformed-variable": "problem"}
    assert "LIBRETTO_TEMPLATES" in told.finding("malformed-variable")["message"]


def test_a_typing_error_is_guessed(doctor: Doctor) -> None:
    """Of a variable that is not read, the nearest one that is read is named."""
    told = doctor(LIBRETTO_TEMPLAT_NAME="x")
    assert "LIBRETTO_TEMPLATE_NAME" in told.finding("unknown-variable")["remedy"]


# The address


def test_nobody_listens(
    doctor: Doctor, backend: Backend, capsys: pytest.CaptureFixture[str]
) -> None:
    """An address without a listener is reported as such, in JSON and to people."""
    backend.refuse()
    assert doctor().levels == {"endpoint-refused": "problem"}
    main.main(["doctor"])
    assert "no answer (refused)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "name", "level"),
    [
        (status(500), "endpoint-failing", "problem"),
        (status(503), "endpoint-failing", "problem"),
        (redirect("http://127.0.0.1/"), "endpoint-redirects", "problem"),
        (garbage, "endpoint-protocol", "problem"),
        (hang, "endpoint-timeout", "problem"),
        (status(407), "endpoint-proxy", "problem"),
        (status(404), "endpoint-path", "warning"),
        (status(403), "endpoint-refuses", "warning"),
    ],
)
def test_a_wrong_answer(
    answer: Any, name: str, level: str, doctor: Doctor, backend: Backend
) -> None:
    """Each way to answer wrongly is told apart."""
    backend.answer(answer)
    told = doctor("--timeout", "0.5")
    assert told.levels == {name: level}
    assert told.status == (1 if level == "problem" else 0)


@pytest.mark.parametrize("code", [200, 204, 400, 405, 415, 429, 501])
def test_any_other_answer_will_do(code: int, doctor: Doctor, backend: Backend) -> None:
    """A server that does not know the question is there all the same."""
    backend.answer(status(code))
    assert doctor().levels == {}


def test_a_certificate_that_nobody_trusts(doctor: Doctor, tmp_path: Path) -> None:
    """A failing verification is reported, and ends when the certificate is trusted."""
    context, certificate = self_signed(tmp_path)
    with Backend(tls=context) as secure:
        address = secure.url.replace("127.0.0.1", "localhost")
        told = doctor(LIBRETTO_API_PREFIX=address)
        assert told.levels == {"endpoint-tls": "problem"}
        assert "certificate verify failed" in told.finding("endpoint-tls")["message"]
        assert doctor(SSL_CERT_FILE=str(certificate)).levels == {}
        nowhere = str(tmp_path / "nowhere.pem")
        assert doctor(SSL_CERT_FILE=nowhere).levels == {
            "endpoint-certificates": "problem"
        }


def test_https_to_a_server_of_http(doctor: Doctor, backend: Backend) -> None:
    """The wrong one of http and https is reported as such."""
    told = doctor(LIBRETTO_API_PREFIX=backend.url.replace("http:", "https:"))
    assert told.levels == {"endpoint-tls": "problem"}


def test_a_proxy_that_is_not_there(doctor: Doctor, backend: Backend) -> None:
    """It is the proxy that is reported, less its password, and not the address."""
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    told = doctor(
        LIBRETTO_API_PREFIX="http://libretto.invalid/api",
        HTTP_PROXY=f"http://user:{KEY}@127.0.0.1:{port}",
    )
    assert told.levels["endpoint-proxy"] == "problem"
    assert f"http://127.0.0.1:{port} " in told.finding("endpoint-proxy")["message"]


def test_each_server_is_asked(doctor: Doctor, backend: Backend) -> None:
    """An endpoint of its own elsewhere is asked, too; its password is not told."""
    with Backend() as another:
        own = another.urls["feedback"].replace("//", f"//user:{KEY}@")
        another.answer(status(502))
        told = doctor(LIBRETTO_FEEDBACK_URL=f"{own}?token={KEY}")
    assert told.levels == {"endpoint-failing": "problem"}
    assert another.urls["feedback"] in told.finding("endpoint-failing")["message"]
    assert len(backend.received) == 1


# The spool


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    """Yield a spool with one message."""
    with closing(Spool(tmp_path / "spool")) as made:
        append(made, "1")
        yield made


def test_what_waits(doctor: Doctor, spool: Spool) -> None:
    """How much waits, and since when, is reported; looking changes nothing."""
    told = doctor("--spool", str(spool.directory.path))
    assert told.levels == {}
    facts = told.facts["spool"]
    assert (facts["pending"], facts["dead_letters"]) == (1, 0)
    assert facts["mode"] == "700"
    assert facts["size"] > 0
    assert 0 <= facts["oldest_seconds"] < 600
    assert spool.stats().pending == 1


def test_a_file_in_the_way(doctor: Doctor, tmp_path: Path) -> None:
    """A file where the spool's directory, or one above it, should be is named."""
    in_the_way = tmp_path / "file"
    in_the_way.touch()
    for directory in (in_the_way, in_the_way / "deeper" / "spool"):
        told = doctor(LIBRETTO_SPOOL_DIR=str(directory))
        assert told.levels == {"spool-not-a-directory": "problem"}
        message = told.finding("spool-not-a-directory")["message"]
        assert message == f"{in_the_way} is not a directory."


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_a_directory_that_cannot_be_written(doctor: Doctor, tmp_path: Path) -> None:
    """A place where nothing can be written is named, there or not."""
    directory = Path("/proc/spool")
    if os.geteuid():  # Permissions do not apply to root.
        (tmp_path / "closed").mkdir(mode=0o500)
        directory = tmp_path / "closed" / "spool"
    told = doctor(LIBRETTO_SPOOL_DIR=str(directory))
    assert told.levels == {"spool-not-writable": "problem"}


@pytest.mark.parametrize("directory", ["", "acks"])
def test_open_to_all(doctor: Doctor, spool: Spool, directory: str) -> None:
    """A directory that others could write to is named, and what to do about it."""
    path = spool.directory.path / directory
    path.chmod(0o777)
    told = doctor("--spool", str(spool.directory.path))
    assert told.levels["foreign-spool"] == "problem"
    assert f"chmod 700 {path}" in told.finding("foreign-spool")["message"]


def test_hostile_content(doctor: Doctor, spool: Spool) -> None:
    """What is damaged or hostile in a spool is not a fault of the report."""
    path = spool.directory.path
    (segment,) = (path / "segments").iterdir()
    segment.write_bytes(b"\xffLS1" + b"[" * 100_000)
    for name in ("acks/libretto.log", "dead/libretto.seg", "dropped"):
        (path / name).touch(0o600)
        (path / name).write_bytes(b"[" * 100_000 + b"\n{}\n")
    told = doctor("--spool", str(path))
    assert told.facts["spool"]["pending"] == 0


def test_others_may_look_in(doctor: Doctor, spool: Spool) -> None:
    """A directory that is open to others is reported."""
    spool.directory.path.chmod(0o755)
    told = doctor("--spool", str(spool.directory.path))
    assert told.levels == {"spool-open-to-others": "warning"}


def test_refused_and_lost(doctor: Doctor, tmp_path: Path) -> None:
    """What Libretto refused, and what the bounds pushed out, is reported."""
    with closing(Spool(tmp_path / "spool", max_age=1e-9)) as made:
        append(made, "1")
        assert read(made) == []
    with closing(Spool(tmp_path / "spool")) as made:
        append(made, "2")
        for stored in read(made):
            made.reject(stored, "HTTP 413")
    told = doctor("--spool", str(tmp_path / "spool"))
    assert told.levels == {"refused-events": "warning", "lost-events": "warning"}


def test_no_relay(doctor: Doctor, spool: Spool) -> None:
    """Without a relay, events that are left to one are reported; with one they are not.

    However the relay ends, it is not taken to be at work any more.
    """
    left = ("--spool", str(spool.directory.path), "--spool-only")
    assert doctor(*left).levels == {"no-relay": "problem"}
    command = [sys.executable, "-m", "libretto_instrument", "relay", *left[:2]]
    with subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL
    ) as relay:
        try:
            eventually(lambda: doctor(*left).levels == {}, timeout=30)
            assert doctor(*left).facts["spool"]["relay at work"] is True
        finally:
            relay.kill()
    assert doctor(*left).levels == {"no-relay": "problem"}


# What is installed


def test_a_patcher_in_this_process(doctor: Doctor) -> None:
    """Another library's wrapper is reported by its module, above ours or beneath."""

    def theirs(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        return wrapped(*args, **kwargs)

    before = Completions.__dict__["create"]
    setattr(Completions, "create", wrapt.FunctionWrapper(before, theirs))  # noqa: B010
    try:
        told = doctor()
    finally:
        setattr(Completions, "create", before)  # noqa: B010
    assert told.levels == {"patched-by-others": "warning"}
    assert __name__ in told.finding("patched-by-others")["message"]
    assert told.status == 0


@frozen
class Place:
    """An environment of its own, with what is installed here, less what a test takes.

    Attributes:
        python: Its interpreter.
        packages: Its site-packages, with a link to each thing that is in ours.
    """

    python: Path
    packages: Path

    def remove(self, *names: str) -> None:
        """Uninstall a distribution, or rather its link."""
        for name in names:
            for path in self.packages.glob(f"{name.replace('-', '_')}*"):
                path.unlink()

    def date(self, name: str, version: str) -> None:
        """Have a distribution say that it is of another version."""
        (info,) = self.packages.glob(f"{name}-*.dist-info")
        text = (info / "METADATA").read_text("utf-8")
        info.unlink()
        info.mkdir()
        old = f"\nVersion: {metadata.version(name)}\n"
        assert old in text
        (info / "METADATA").write_text(text.replace(old, f"\nVersion: {version}\n"))

    def examine(self, *args: str, folder: Path = ROOT) -> Told:
        """Run the doctor in it."""
        done = subprocess.run(
            [self.python, *EXAMINE, "--json", *args],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            cwd=folder,
            env=os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{ROOT}"},
        )
        assert done.stderr == ""
        return Told(done.returncode, json.loads(done.stdout))


@pytest.fixture
def place(tmp_path: Path, doctor: Doctor) -> Place:
    """Make such an environment."""
    folder = tmp_path / "place"
    venv.create(folder, symlinks=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    for name in ("openai", "wrapt", "httpx", "attrs", "stdnum"):
        spec = sys.modules.get(name) or __import__(name)
        assert spec.__file__ is not None
        for path in Path(spec.__file__).parents[1].iterdir():
            link = packages / path.name
            if path.suffix != ".pth" and not link.is_symlink():
                link.symlink_to(path)
    return Place(folder / "bin" / "python", packages)


def test_an_environment(place: Place) -> None:
    """In an environment with everything nothing is found."""
    told = place.examine("--redact-pii")
    assert (told.status, told.facts["diagnoses"]) == (0, [])
    assert told.facts["redaction"]["extra pii"] == "installed"


def test_packages_that_are_missing(place: Place) -> None:
    """A package that is missing is named with the line that installs it."""
    place.remove("openai", "phonenumber", "stdnum", "python-stdnum")
    told = place.examine("--redact-pii")
    assert told.levels == {"openai-missing": "problem", "no-pii-extra": "problem"}
    assert told.status == 1
    assert told.finding("openai-missing")["remedy"].endswith("pip install openai")
    assert "[pii]" in told.finding("no-pii-extra")["remedy"]


def test_versions_that_are_too_old(place: Place) -> None:
    """A version below what is needed is named, and one at the bound is not."""
    place.date("openai", "1.54.9")
    place.date("wrapt", "1.15.0rc1")
    place.date("httpx", "0.25")
    told = place.examine()
    assert told.levels == {"openai-too-old": "problem", "wrapt-too-old": "problem"}
    assert "1.54.9 is older than 1.55" in told.finding("openai-too-old")["message"]


def test_something_else_is_called_openai(place: Place, tmp_path: Path) -> None:
    """A file of the user's own that stands in openai's place is named, and not run."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "openai.py").write_text("raise SystemExit('it was run')")
    told = place.examine(folder=folder)
    assert told.levels == {"openai-shadowed": "problem"}
    assert str(folder / "openai.py") in told.finding("openai-shadowed")["message"]


def test_openai_that_cannot_be_imported(place: Place) -> None:
    """An openai that lacks what it needs itself is named, with the reason."""
    place.remove("pydantic")
    told = place.examine()
    assert told.levels == {"openai-broken": "problem"}
    assert "pydantic" in told.finding("openai-broken")["message"]


def test_a_patcher_that_comes_with_the_interpreter(
    place: Place, tmp_path: Path
) -> None:
    """What patches openai as the interpreter starts is named by its module."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "tracer.py").write_text(
        "import functools\n"
        "from openai.resources.completions import Completions\n"
        "before = Completions.create\n"
        "@functools.wraps(before)\n"
        "def create(*args, **kwargs): return before(*args, **kwargs)\n"
        "Completions.create = create\n"
        "import openai, wrapt\n"
        "def pass_on(wrapped, _, args, kwargs): return wrapped(*args, **kwargs)\n"
        "wrapt.wrap_function_wrapper('openai', 'AsyncOpenAI.request', pass_on)\n"
    )
    (folder / "sitecustomize.py").write_text("import tracer")
    told = place.examine(folder=folder)
    assert told.levels == {"patched-by-others": "warning"}
    assert told.facts["openai"]["patched by others"] == {
        "openai.resources.completions.Completions.create": ["tracer"],
        "openai.AsyncOpenAI.request": ["tracer"],
    }


def test_an_openai_of_another_make(place: Place, tmp_path: Path) -> None:
    """An openai that has none of the methods that are recorded is reported."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import importlib\n"
        "from libretto_instrument._capture import TARGETS\n"
        "for target in TARGETS:\n"
        "    try:\n"
        "        module = importlib.import_module(target.module)\n"
        "        delattr(getattr(module, target.owner), target.method)\n"
        "    except (ImportError, AttributeError):\n"
        "        pass\n"
    )
    told = place.examine(folder=folder)
    assert told.levels == {"openai-unknown": "problem"}
    assert told.facts["openai"]["can be recorded"] == 0


def test_recorded_already(doctor: Doctor) -> None:
    """A process in which it is installed already stays so."""
    import libretto_instrument as libretto

    libretto.install()
    told = doctor()
    assert told.facts["openai"]["installed already"] is True
    assert told.levels == {}
    assert libretto.installed()
