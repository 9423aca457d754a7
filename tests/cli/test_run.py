"""Programs that are run by ``libretto-instrument run``, beside bare ones."""

import os
import py_compile
import signal
import subprocess
import sys
import zipfile
from pathlib import Path
from textwrap import indent

import pytest
from attrs import frozen
from support.backend import Backend

import libretto_instrument
from libretto_instrument.demo import OfflineModel

ROOT = Path(__file__).parents[2]
BARE = (sys.executable,)
OURS = (sys.executable, "-m", "libretto_instrument", "run")
ENOUGH = {"LIBRETTO_API_KEY": "key", "LIBRETTO_TEMPLATE_NAME": "any"}
CALL = """
import openai
client = openai.OpenAI(api_key="sk", max_retries=0)
asked = client.completions.create(model="any", prompt="Hi")
print(asked.choices[0].text)
"""


@frozen
class End:
    """How a process ended."""

    status: int
    out: str
    err: str


def started(*command: object, cwd: Path, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


def ended(process: "subprocess.Popen[str]") -> End:
    try:
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    return End(process.returncode, out, err)


def ran(*command: object, cwd: Path, **environment: str) -> End:
    return ended(started(*command, cwd=cwd, **environment))


def recorded(*command: object, cwd: Path, **environment: str) -> End:
    """Run a program by our command, with all that it needs to be recorded."""
    return ran(*OURS, *command, cwd=cwd, **(ENOUGH | environment))


def both(*command: object, cwd: Path, **environment: str) -> tuple[End, End]:
    """Run a program by our command, and bare, at the same time."""
    processes = (
        started(*OURS, *command, cwd=cwd, **(ENOUGH | environment)),
        started(*BARE, *command, cwd=cwd, **environment),
    )
    ours, bare = map(ended, processes)
    return ours, bare


@pytest.fixture(autouse=True)
def _reachable(model: OfflineModel, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let programs ask the offline model."""
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)


# Recording


@pytest.mark.parametrize("way", ["file", "module", "package", "code", "folder"])
def test_a_program_is_recorded(way: str, tmp_path: Path, backend: Backend) -> None:
    """A program that knows nothing of us is recorded, however it is named."""
    (tmp_path / "app.py").write_text(CALL)
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "__init__.py").touch()
    (tmp_path / "packed" / "__main__.py").write_text(CALL)
    commands = {
        "file": ["app.py"],
        "module": ["-m", "app"],
        "package": ["-m", "packed"],
        "code": ["-c", CALL],
        "folder": ["packed"],
    }
    ours, bare = both(*commands[way], cwd=tmp_path)
    assert (ours.status, ours.err) == (0, "")
    assert ours.out == bare.out != ""
    (event,) = backend.events
    assert (event["apiKey"], event["apiName"]) == ("key", "any")


def test_options_win_over_the_environment(tmp_path: Path, backend: Backend) -> None:
    """What the command line says holds, and what it leaves out the environment says."""
    options = ("--template-name", "mine", "--sample-rate", "1", "--redact-pii")
    code = CALL.replace("Hi", "Write to ada@example.com")
    end = recorded(
        *options, "-c", code, cwd=tmp_path,
        LIBRETTO_CHAT_ID="chat", LIBRETTO_SAMPLE_RATE="0",
    )  # fmt: skip
    assert (end.status, end.err) == (0, "")
    (event,) = backend.events
    assert (event["apiName"], event["chatId"]) == ("mine", "chat")
    assert event["promptTemplateText"] == "Write to <EMAIL_ADDRESS>"


def test_calls_without_a_name(tmp_path: Path, backend: Backend) -> None:
    """Without a template name a warning says what to give; with --allow-unnamed the
    server names them."""
    nameless = {"LIBRETTO_TEMPLATE_NAME": ""}
    end = recorded("-c", CALL, cwd=tmp_path, **nameless)
    assert end.status == 0
    assert "LIBRETTO_TEMPLATE_NAME" in end.err
    assert "LIBRETTO_ALLOW_UNNAMED_PROMPTS" in end.err
    assert not backend.events
    end = recorded("--allow-unnamed", "-c", CALL, cwd=tmp_path, **nameless)
    assert (end.status, end.err) == (0, "")
    assert [event["apiName"] for event in backend.events] == [None]


def test_the_program_may_install_for_itself(tmp_path: Path, backend: Backend) -> None:
    """A program that installs has its own settings, and still one event a call."""
    own = "import libretto_instrument as libretto\n"
    own += "libretto.install(api_key='own', prompt_template_name='own')\n"
    end = recorded("-c", own + CALL, cwd=tmp_path)
    assert (end.status, end.err) == (0, "")
    assert [event["apiKey"] for event in backend.events] == ["own"]


def test_calls_of_the_very_end_are_recorded(tmp_path: Path, backend: Backend) -> None:
    """What a program calls in a thread it leaves behind, or at exit, is recorded."""
    # Loaded before the end: then some versions of openai can't be any more.
    code = f"import atexit, openai, threading\ndef call():{indent(CALL, '  ')}\n"
    code += "atexit.register(call)\nthreading.Thread(target=call).start()\n"
    end = recorded("-c", code, cwd=tmp_path)
    assert (end.status, end.err) == (0, "")
    assert len(backend.events) == 2


def test_with_a_spool(tmp_path: Path, backend: Backend) -> None:
    """With --spool-only events are on disk at the end, and no connection was made."""
    spool = tmp_path / "spool"
    end = recorded("--spool", spool, "--spool-only", "-c", CALL, cwd=tmp_path)
    assert (end.status, end.err) == (0, "")
    assert backend.connections == 0
    listed = ran(*OURS[:-1], "spool", "ls", "--spool", spool, cwd=tmp_path)
    assert listed.out.startswith("1 ")


# What cannot be


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        (["--spool-only", "-c", ""], {}, "--spool DIR"),
        (["-c", ""], {"LIBRETTO_API_PREFIX": "nowhere"}, "LIBRETTO_API_PREFIX"),
        (["-c", ""], {"LIBRETTO_ENABLED": "so so"}, "LIBRETTO_ENABLED"),
        (["--sample-rate", "2", "-c", ""], {}, "between 0 and 1"),
        (["--sample-rate", "x", "-c", ""], {}, "--sample-rate"),
        ([], {}, "usage: libretto-instrument run"),
    ],
)
def test_settings_that_cannot_be_kept(
    arguments: list[str], environment: dict[str, str], said: str, tmp_path: Path
) -> None:
    """Settings that cannot be kept end it before the program begins, with status 2."""
    end = recorded(*arguments, cwd=tmp_path, **environment)
    assert (end.status, end.out) == (2, "")
    assert said in end.err
    assert "Traceback" not in end.err


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere.py"],
        ["nowhere-at-all"],
        ["-m", "nowhere"],
        ["-m", "nowhere.at.all"],
        ["-m", "headless"],
        ["headless"],
        ["-m", "sys"],
    ],
)
def test_no_such_program(arguments: list[str], tmp_path: Path) -> None:
    """A program that is not there is reported as the interpreter tells it."""
    (tmp_path / "headless").mkdir()
    (tmp_path / "headless" / "__init__.py").touch()
    ours, bare = both(*arguments, cwd=tmp_path)
    assert ours == bare
    assert ours.status != 0


@pytest.mark.parametrize("flag", ["-E", "-I"])
def test_an_interpreter_that_ignores_the_environment(flag: str, tmp_path: Path) -> None:
    """Where PYTHONPATH is ignored the command says so, and runs nothing."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r});"
    code += "from libretto_instrument._cli.main import main; sys.exit(main())"
    end = ran(
        sys.executable, flag, "-c", code, "run", "-c", "print('ran')",
        cwd=tmp_path, **ENOUGH,
    )  # fmt: skip
    assert (end.status, end.out) == (2, "")
    assert "PYTHONPATH" in end.err


# The same as bare

STATE = """
import sys
main = sys.modules["__main__"]
assert vars(main) is globals()
print(sys.argv, sys.path, __name__, __package__, __doc__)
print(sorted(name for name in globals()), globals().get("__file__"))
print(type(__builtins__).__name__, __loader__.__class__.__name__)
print(__spec__ and (__spec__.name, __spec__.origin))
import beside
"""
ENDS = {
    "nothing": "",
    "three": "import sys; sys.exit(3)",
    "text": "raise SystemExit('this is why')",
    "exit": "exit(4)",
    "at once": "import os; os._exit(5)",
    "exception": "def f(): 1/0\nf()",
    "cause": "try: 1/0\nexcept Exception as exc: raise ValueError('x') from exc",
    "value error": "raise ValueError('not ours to explain')",
    "os error": "open('/nowhere/at/all')",
    "syntax": "print('never'\n",
    "latin": "# coding: latin-1\nprint(ascii('\xe9'))",
    "interrupt": "raise KeyboardInterrupt",
    "hook": (
        "import sys, traceback\n"
        "sys.excepthook = lambda *told: print(traceback.format_exception(*told))\n"
        "1/0"
    ),
    "at exit": (
        "import atexit\n"
        "for n in range(3): atexit.register(print, n)\n"
        "import sys; atexit.register(lambda: print(vars(sys.modules['__main__'])['n']))"
    ),
    "exit fails": "import atexit; atexit.register(int, 'no number')",
    "thread": (
        "import threading, sys\n"
        "def late():\n"
        "    threading.main_thread().join()\n"
        "    print('late', vars(sys.modules['__main__']) is globals())\n"
        "threading.Thread(target=late).start()"
    ),
    "thread fails": "import threading\nthreading.Thread(target=lambda: 1/0).start()",
    "warning": "import warnings\nwarnings.warn('old', DeprecationWarning)",
    "pickle": (
        "import pickle\n"
        "class Thing: pass\n"
        "print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)"
    ),
    "unittest": (
        "import io, unittest\n"
        "class Test(unittest.TestCase):\n"
        "    def test_it(self): self.fail()\n"
        "runner = unittest.TextTestRunner(io.StringIO())\n"
        "unittest.main(argv=['app'], testRunner=runner)"
    ),
    "dataclass": (
        "from __future__ import annotations\n"
        "import dataclasses\n"
        "@dataclasses.dataclass\n"
        "class Point:\n"
        "    x: int = 0\n"
        "print(Point(), __annotations__)\n"
        "import typing; print(typing.get_type_hints(Point))"
    ),
}


@pytest.mark.parametrize("program", ENDS)
def test_the_end_is_the_programs_own(program: str, tmp_path: Path) -> None:
    """Status, output and traceback are those of the bare program, byte for byte."""
    coding = "latin-1" if program == "latin" else "utf-8"
    (tmp_path / "app.py").write_text(ENDS[program], encoding=coding)
    ours, bare = both("app.py", cwd=tmp_path)
    assert ours == bare


@pytest.mark.parametrize(
    "arguments",
    [
        ["app.py"],
        ["./app.py", "-m", "x", "--template-name", "--s", "--", "-c", "a b", "", "-1"],
        ["sub/../app.py", "--help", "--version"],
        ["link.py", "run"],
        ["-m", "app", "-m", "--", "--re"],
        ["-m", "pack.inner", "x"],
        ["-m", "pack", "x"],
        ["pack", "x"],
        ["app.zip", "x"],
        ["app.pyc", "x"],
        ["-c", STATE, "x", "-c", "--", "y"],
    ],
    ids=lambda arguments: " ".join(arguments[:2])[:14],
)
def test_the_program_finds_what_it_would(arguments: list[str], tmp_path: Path) -> None:
    """Arguments, import path and ``__main__`` are those of the bare program."""
    (tmp_path / "sub").mkdir()
    (tmp_path / "pack").mkdir()
    for name in ("app.py", "sub/app.py", "pack/__main__.py", "pack/inner.py"):
        (tmp_path / name).write_text(STATE)
    for place in (".", "sub", "pack"):
        (tmp_path / place / "beside.py").write_text("print('beside', __file__)")
    (tmp_path / "pack" / "__init__.py").write_text("import sys; print(sys.argv)")
    (tmp_path / "link.py").symlink_to("sub/app.py")
    py_compile.compile(str(tmp_path / "app.py"), cfile=str(tmp_path / "app.pyc"))
    with zipfile.ZipFile(tmp_path / "app.zip", "w") as archive:
        archive.writestr("__main__.py", STATE)
        archive.writestr("beside.py", "print('beside')")
    ours, bare = both(*arguments, cwd=tmp_path)
    assert (bare.status, bare.err) == (0, "")
    assert ours == bare


def test_a_safe_path_stays_safe(tmp_path: Path) -> None:
    """With -P, or isolated, a program's folder is not looked into, as without us."""
    if sys.version_info < (3, 11):
        pytest.skip("-P is of Python 3.11")
    (tmp_path / "app.py").write_text("import sys; print(sys.path)")
    ours, bare = both("app.py", cwd=tmp_path, PYTHONSAFEPATH="1")
    assert ours == bare


def test_a_module_that_fails(tmp_path: Path) -> None:
    """A module's traceback is that of the bare program."""
    (tmp_path / "app.py").write_text("def f(): 1/0\nf()")
    ours, bare = both("-m", "app", cwd=tmp_path)
    assert ours == bare


def test_a_failing_import_of_the_program(tmp_path: Path) -> None:
    """A missing dependency of the program is reported as Python does, not as ours."""
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__init__.py").write_text("import nowhere")
    (tmp_path / "pack" / "app.py").touch()
    end = recorded("-m", "pack.app", cwd=tmp_path)
    assert end.status == 1
    assert "ModuleNotFoundError: No module named 'nowhere'" in end.err


@pytest.mark.parametrize("way", [["app.py"], ["-m", "app"]], ids=["file", "module"])
@pytest.mark.parametrize(
    ("name", "handled"),
    [
        ("SIGINT", False),
        ("SIGINT", True),
        ("SIGTERM", False),
        ("SIGTERM", True),
        ("SIGKILL", False),
    ],
)
def test_signals_are_the_programs_own(
    name: str, handled: bool, way: list[str], tmp_path: Path
) -> None:
    """A signal ends a program as it would without us, or is handled by it."""
    handler = f"signal.signal(signal.{name}, lambda *_: sys.exit(7))\n" * handled
    (tmp_path / "app.py").write_text(
        f"import signal, sys\n{handler}print('up', flush=True)\nsignal.pause()\n"
    )

    def signalled(process: "subprocess.Popen[str]") -> tuple[int, str, list[str]]:
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n"
        process.send_signal(getattr(signal, name))
        end = ended(process)
        return end.status, end.out, end.err.splitlines()[-1:]

    processes = [started(*by, *way, cwd=tmp_path) for by in (OURS, BARE)]
    ours, bare = map(signalled, processes)
    assert ours == bare
    assert ours[0] == (7 if handled else -getattr(signal, name))


@pytest.mark.parametrize("way", ["file", "module"])
@pytest.mark.parametrize("method", ["spawn", "fork", "forkserver"])
def test_multiprocessing(
    method: str, way: str, tmp_path: Path, backend: Backend
) -> None:
    """Processes that the program starts find its functions, whatever the method."""
    (tmp_path / "app.py").write_text(
        "import multiprocessing, sys\n"
        "def double(n): return 2 * n, __name__\n"
        "if __name__ == '__main__':\n"
        f"    context = multiprocessing.get_context({method!r})\n"
        "    with context.Pool(2) as pool: print(pool.map(double, range(3)))\n"
    )
    named = ["app.py"] if way == "file" else ["-m", "app"]
    ours, bare = both(*named, cwd=tmp_path)
    assert bare.status == 0
    assert ours == bare


STARTED = {
    "fork": "multiprocessing.get_context('fork').Process(target=call)",
    "spawn": "multiprocessing.get_context('spawn').Process(target=call)",
    "forkserver": "multiprocessing.get_context('forkserver').Process(target=call)",
    "subprocess": "Started([sys.executable, __file__, 'child'])",
    "shell": "Started(f'{sys.executable} {__file__} child', shell=True)",
}


@pytest.mark.parametrize("way", STARTED)
def test_processes_that_it_starts_are_recorded(
    way: str, tmp_path: Path, backend: Backend
) -> None:
    """What a process calls that the program starts is recorded like its own calls."""
    (tmp_path / "app.py").write_text(
        f"import multiprocessing, subprocess, sys\ndef call():{indent(CALL, '  ')}\n"
        "class Started:\n"
        "    def __init__(self, *a, **k): self.it = lambda: subprocess.run(*a, **k)\n"
        "    def start(self): self.it()\n"
        "    def join(self): pass\n"
        "if __name__ == '__main__':\n"
        "    if 'child' not in sys.argv:\n"
        f"        process = {STARTED[way]}\n"
        "        process.start()\n"
        "        process.join()\n"
        "    call()\n"
    )
    end = recorded("app.py", cwd=tmp_path)
    assert (end.status, end.err) == (0, "")
    assert len(backend.events) == 2


def test_a_command_of_the_path_is_recorded(tmp_path: Path, backend: Backend) -> None:
    """A command such as gunicorn is found on the PATH, and recorded."""
    command = tmp_path / "bin" / "serve-it"
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\n{CALL}")
    command.chmod(0o755)
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    end = recorded("serve-it", "x", cwd=tmp_path, PATH=path)
    assert (end.status, end.err) == (0, "")
    assert len(backend.events) == 1


@pytest.mark.parametrize("before", [[], ["--"], ["--chat-id", "x", "--"]])
def test_dashes_belong_to_the_program(before: list[str], tmp_path: Path) -> None:
    """Each ``--`` behind the program's name is the program's; one before it is ours."""
    code = "import sys; print(sys.argv[1:])"
    (tmp_path / "app.py").write_text(code)
    end = recorded(*before, "app.py", "--", "x", "--", "--template-name", cwd=tmp_path)
    assert end == End(0, "['--', 'x', '--', '--template-name']\n", "")


OWN_SITECUSTOMIZE = {
    "there": "print('mine')",
    "failing": "print('mine'); import nowhere_at_all",
    "absent": None,
}


@pytest.mark.parametrize("own", OWN_SITECUSTOMIZE)
def test_a_sitecustomize_of_the_users_own_runs(
    own: str, tmp_path: Path, backend: Backend
) -> None:
    """The user's own sitecustomize runs once, and what it does changes no recording."""
    code = OWN_SITECUSTOMIZE[own]
    (tmp_path / "own").mkdir()
    if code is not None:
        (tmp_path / "own" / "sitecustomize.py").write_text(code)
    place = f"{tmp_path / 'own'}{os.pathsep}{ROOT}"
    # The command's own interpreter runs it, too, before the program's does.
    end = recorded("-c", f"print('program')\n{CALL}", cwd=tmp_path, PYTHONPATH=place)
    assert end.status == 0
    assert end.out.count("mine") == 2 * (code is not None)
    assert len(backend.events) == 1


def test_an_interpreter_without_us_is_left_alone(tmp_path: Path) -> None:
    """An interpreter in which we can't be imported runs its program all the same."""
    code = (
        "import os, subprocess, sys\n"
        "place = os.environ['PYTHONPATH'].split(os.pathsep)[0]\n"
        "hide = \"import sys; sys.modules['libretto_instrument'] = None\"\n"
        "open('sitecustomize.py', 'w').write(hide)\n"
        "os.environ['PYTHONPATH'] = os.pathsep.join((place, os.getcwd()))\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'], check=True)\n"
    )
    assert recorded("-c", code, cwd=tmp_path) == End(0, "1\n", "")


def test_settings_changed_by_the_program(tmp_path: Path) -> None:
    """A setting that the program spoils for what it starts costs it no process."""
    code = (
        "import os, subprocess, sys\n"
        "os.environ['LIBRETTO_SAMPLE_RATE'] = 'all'\n"
        "subprocess.run([sys.executable, '-c', 'print(1)'], check=True)\n"
    )
    end = recorded("-c", code, cwd=tmp_path)
    assert (end.status, end.out) == (0, "1\n")
    assert "LIBRETTO_SAMPLE_RATE" in end.err


def test_from_a_checkout(tmp_path: Path) -> None:
    """Where we were found we are found for longer, if that was the working folder."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "app.py").write_text(
        "import libretto_openai, sys\nprint(sys.path[0], libretto_openai.__file__)"
    )
    packages = Path(libretto_instrument.__file__).parents[1]
    for name in ("libretto_instrument", "libretto_openai"):
        (tmp_path / name).symlink_to(packages / name)
    end = recorded("elsewhere/app.py", cwd=tmp_path, PYTHONPATH="")
    place = tmp_path / "libretto_openai" / "__init__.py"
    assert (end.out, end.err) == (f"{tmp_path / 'elsewhere'} {place}\n", "")


def test_the_installed_command(tmp_path: Path) -> None:
    """The command that pip puts into a folder of its own does not leave it in the path.

    Its traceback, too, begins with the program.
    """
    command = tmp_path / "bin" / "libretto-instrument"
    command.parent.mkdir()
    command.write_text(
        "import sys\nfrom libretto_instrument._cli.main import main\nsys.exit(main())\n"
    )
    (tmp_path / "app.py").write_text("import sys; print(sys.path)\n1/0")
    ours = ran(*BARE, command, "run", "app.py", cwd=tmp_path, LIBRETTO_API_KEY="key")
    assert ours == ran(*BARE, "app.py", cwd=tmp_path)
