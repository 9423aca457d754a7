"""Tests against many versions and other libraries, each in its own environment.

nox -s compat          the suite on versions of openai, wrapt and Python; prints a table
nox -s openai_suite    openai's own tests, bare and recorded
nox -s frameworks      frameworks built on openai, bare and recorded
nox -s patchers        other libraries that patch openai, in every order
nox -s wrapped         clients that other libraries wrapped before install()
nox -s preforkers      gunicorn, uWSGI, Celery and uvicorn, with and without a spool
nox -s phoenix         calls read back from a backend of traces, as it understands them
nox -s wheel           what is to be published: built, checked, installed and tested
nox -s minimal         the suite on the lowest version of everything that is allowed
nox -s newest          the suite on the newest version of everything
nox -s minute          the README to the letter, with nothing but the wheel
"""

import os
import shutil
from pathlib import Path

import nox

nox.options.sessions = ["compat"]
nox.options.reuse_existing_virtualenvs = True
nox.options.error_on_missing_interpreters = False
RESULTS = Path(".nox", "compat")

#: What the suite needs beside the library.
TEST_TOOLS = (
    "pytest>=8.2",
    "pytest-asyncio>=0.24",
    "hypothesis>=6.100",
    "vcrpy>=8.1",
    "pytest-xdist>=3.6",
)

#: As in the Makefile.
PARALLEL = os.environ.get("PARALLEL", "-n 2 --dist worksteal").split()

#: The transports of openai that not every program has.
TRANSPORTS = "openai[aiohttp,realtime]"

#: Tests of packages without files, commands or extras of their own, which packaging
#: cannot break alone. They take most of the time, and `make test` runs them.
CODE_ONLY = ("capture", "delivery", "spool", "redaction")

#: The packages as they stand in a checkout.
PACKAGES = ("libretto_instrument", "libretto_openai")

#: Python, openai, wrapt: each Python and each major version, old and new together.
PAIRS = [
    ("3.10", "1.55.3", "1.16.0"),
    ("3.11", "1.55.3", "2.*"),
    ("3.12", "1.109.1", "1.16.0"),
    ("3.13", "1.109.1", "2.*"),
    ("3.10", "2.54.0", "1.17.3"),
    ("3.12", "2.54.0", "2.*"),
    ("3.10", "3.*", "2.*"),
    ("3.11", "3.*", "1.16.0"),
    ("3.12", "3.*", "2.*"),
    ("3.13", "3.*", "2.*"),
]

#: Tests of what meets openai or wrapt; `make test` runs the others.
MEETING_OPENAI = (
    *("tests/capture", "tests/libretto_openai", "tests/recognition"),
    *("tests/delivery/test_worker_imports.py", "tests/improve/test_round_trip.py"),
    *(
        str(path)
        for path in sorted(Path("tests").glob("test_*.py"))
        if path.stem.removeprefix("test_")
        not in ("benchmarks", "layers", "manifests", "site", "typing")
    ),
)

FRAMEWORKS = {
    "langchain": ("langchain-openai",),
    "litellm": ("litellm", "mcp"),  # It imports mcp as soon as there are tools.
    "pydantic_ai": ("pydantic-ai-slim[openai]",),
    "instructor": ("instructor",),
    "openai_agents": ("openai-agents",),
    "llama_index": ("llama-index-llms-openai",),
    "ag2": ("ag2[openai]",),
    "agno": ("agno", "openai"),
    "autogen": ("autogen-agentchat", "autogen-ext[openai]"),
    "browser_use": ("browser-use",),
    "crewai": ("crewai",),
    "dspy": ("dspy",),
    "guidance": ("guidance", "openai"),
    "haystack": ("haystack-ai",),
    "langgraph": ("langgraph", "langchain-openai"),
    "llm": ("llm",),
    "magentic": ("magentic",),
    "mem0": ("mem0ai",),
    "outlines": ("outlines", "openai"),
    # It imports what newer versions have no more.
    "ragas": ("ragas", "langchain-community<0.4"),
    "semantic_kernel": ("semantic-kernel",),
    "smolagents": ("smolagents[openai]",),
}
PATCHERS = {
    "openinference": "openinference-instrumentation-openai",
    "opentelemetry": "opentelemetry-instrumentation-openai",
    "langfuse": "langfuse",
    "ddtrace": "ddtrace",
}
#: Libraries that wrap a client, often before anything is installed.
WRAPPERS = ("instructor", "langsmith", "braintrust", "opik")


def _switch_on_pyenv() -> None:
    """Let pyenv's shims run every interpreter that it has, not only the default one."""
    root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    there = sorted(path.name for path in root.glob("versions/3.1[0-9]*"))
    if there and "PYENV_VERSION" not in os.environ:
        os.environ["PYENV_VERSION"] = ":".join(there)


_switch_on_pyenv()


@nox.session
@nox.parametrize(
    ("python", "openai", "wrapt"), PAIRS, ids=["-".join(pair) for pair in PAIRS]
)
def compat(session: nox.Session, openai: str, wrapt: str) -> None:
    """Run the suite on one set of versions, and print what has passed so far.

    With ``-- tests --ignore=tests/docs`` all of it, but for the pages, which show what
    newer versions have.
    """
    # One call, so that no later one brings another version.
    session.install(
        ".[collector,metrics,otel,pii]",
        *TEST_TOOLS,
        f"{TRANSPORTS}=={openai}",
        f"wrapt=={wrapt}",
    )
    RESULTS.mkdir(parents=True, exist_ok=True)
    report = RESULTS / f"{session.python}-{openai}-{wrapt}".replace("*", "x")
    report.unlink(missing_ok=True)
    session.run(
        *("python", "-m", "pytest", "-q", f"--junitxml={report}.xml"),
        *(session.posargs or MEETING_OPENAI),
        success_codes=[0, 1],
    )
    session.run("python", "tools/compat_table.py", str(report))


@nox.session(python="3.11")
@nox.parametrize("openai", ["3.57.0"])
def openai_suite(session: nox.Session, openai: str) -> None:
    """Run openai's own tests bare and recorded; none may tell the difference."""
    session.install(
        f"{TRANSPORTS}=={openai}",
        ".",
        *("pytest>=9.0.3", "pytest-asyncio>=1.4", "pytest-xdist", "trio", "griffe"),
        *("rich", "inline-snapshot>=0.28", "azure-identity", "botocore", "Pillow"),
        *("numpy", "pandas", "respx"),
    )
    folder = Path(session.create_tmp()).resolve()
    suite = folder / f"openai-{openai}"
    if not suite.is_dir():
        session.run(
            *("python", "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--no-binary=openai", f"--dest={folder}", f"openai=={openai}"),
        )
        session.run(
            "python", "-m", "tarfile", "-e", f"{suite}.tar.gz", str(folder), silent=True
        )
    session.run("python", "tests/compat/openai_suite.py", str(suite))


@nox.session(python="3.11")
@nox.parametrize("name", list(FRAMEWORKS))
def frameworks(session: nox.Session, name: str) -> None:
    """Check that a framework does the same with us as without."""
    session.install(*FRAMEWORKS[name], ".[collector]", *TEST_TOOLS)
    session.env["LIBRETTO_FRAMEWORK"] = name
    _run_alone(session, "tests/compat/with_frameworks.py", *_files_of(name))


@nox.session(python="3.11")
@nox.parametrize("name", list(PATCHERS))
def patchers(session: nox.Session, name: str) -> None:
    """Check that another library that patches openai works together with ours."""
    session.install(PATCHERS[name], "openai", ".[collector]", *TEST_TOOLS)
    session.env["LIBRETTO_PATCHER"] = name
    _run_alone(session, "tests/compat/with_patchers.py")


@nox.session(python="3.11")
@nox.parametrize("name", WRAPPERS)
def wrapped(session: nox.Session, name: str) -> None:
    """Check that a client that another library wrapped is recorded once a call."""
    session.install(name, "openai", ".[collector]", *TEST_TOOLS)
    session.env["LIBRETTO_WRAPPER"] = name
    _run_alone(session, "tests/compat/with_wrapped_clients.py")


def _files_of(name: str) -> list[str]:
    """Return what holds something of a neighbour: tests, and an example if any."""
    tests, example = Path("tests/compat"), Path("tests/examples")
    paths = (tests / f"with_{name}.py", example / f"example_of_{name}.py")
    return [str(path) for path in paths if path.exists()]


def _run_alone(session: nox.Session, *paths: str) -> None:
    """Run these files; a neighbour's warnings are its own business."""
    for path in paths:  # Helpers of two folders may have one name.
        session.run("python", "-m", "pytest", "-q", "-W", "default", path)


@nox.session(python="3.11")
@nox.parametrize("name", ["gunicorn", "uwsgi", "celery", "uvicorn"])
def preforkers(session: nox.Session, name: str) -> None:
    """Check that servers deliver each event exactly once, however they end."""
    session.install(name, "gevent", ".[collector]", *TEST_TOOLS)
    _run_alone(session, *_files_of(name))


@nox.session(python="3.11")
def phoenix(session: nox.Session) -> None:
    """Check that a backend that knows the GenAI conventions reads our calls right."""
    session.install("arize-phoenix", ".[collector,otel]", *TEST_TOOLS)
    _run_alone(session, "tests/compat/with_phoenix.py")


@nox.session
def wheel(session: nox.Session) -> None:
    """Build, check and install what is to be published, and test it as installed.

    The tests come from the source distribution, in a folder without the packages, so
    that nothing but the installed wheel can be imported.
    """
    folder = Path(session.create_tmp()).resolve()
    shutil.rmtree(folder)
    folder.mkdir()
    session.install("build>=1.2", "twine>=6")
    session.run("python", "-m", "build", "--outdir", str(folder), ".")
    sdist, built = *folder.glob("*.tar.gz"), *folder.glob("*.whl")
    session.run("twine", "check", "--strict", str(sdist), str(built))

    session.run("python", "-m", "tarfile", "-e", str(sdist), str(folder), silent=True)
    source = folder / sdist.name.removesuffix(".tar.gz")
    for package in PACKAGES:
        shutil.rmtree(source / package)
    session.run("python", "-m", "venv", str(folder / "empty"))
    python = str(folder / "empty" / "bin" / "python")
    pip = (python, "-m", "pip", "--disable-pip-version-check", "-qq")
    session.chdir(source)
    # It would put this checkout before what is installed.
    session.env["PYTHONPATH"] = ""
    session.run(*pip, "install", str(built), external=True)
    session.run(*pip, "check", external=True)
    session.run(python, "-c", _INSTALLED, *PACKAGES, external=True)
    extras = f"{built}[collector,metrics,otel,pii]"
    session.run(*pip, "install", extras, TRANSPORTS, *TEST_TOOLS, external=True)
    session.run(
        *(python, "-m", "pytest", "-q", *PARALLEL),
        *(f"--ignore=tests/{package}" for package in CODE_ONLY),
        *(session.posargs or ["tests"]),
        external=True,
    )


#: Fails unless packages come from where pip put them, with what type checkers look for.
_INSTALLED = """
import importlib, pathlib, sys, sysconfig
site = pathlib.Path(sysconfig.get_path("purelib")).resolve()
for name in sys.argv[1:]:
    path = pathlib.Path(importlib.import_module(name).__file__).resolve().parent
    assert path == site / name, path
    assert (path / "py.typed").is_file(), name
"""


# Not reused: newer versions of an earlier run would be kept, as the bounds allow them.
@nox.session(python="3.10", reuse_venv=False)
def minimal(session: nox.Session) -> None:
    """Run the suite on the lowest version of everything that is allowed."""
    session.install("uv>=0.5")
    install = ("uv", "pip", "install", "--quiet", f"--python={_place(session)}")
    session.run(*install, "--resolution=lowest-direct", ".[collector,metrics,otel,pii]")
    # Afterwards, as those who only use the library do not meet these.
    session.run(*install, *TEST_TOOLS)
    # The pages show what newer versions have, such as the Responses API.
    _run_suite(session, "--ignore=tests/docs")


@nox.session(python="3.13")
def newest(session: nox.Session) -> None:
    """Run the suite on the newest version of everything."""
    session.install(
        *("--upgrade", "--upgrade-strategy=eager"),
        *(".[collector,metrics,otel,pii]", TRANSPORTS, *TEST_TOOLS),
    )
    _run_suite(session)


def _place(session: nox.Session) -> str:
    """Return where a session's virtual environment is."""
    place = session.virtualenv.location
    assert place is not None
    return str(Path(place).resolve())


def _run_suite(session: nox.Session, *options: str) -> None:
    """Say what is installed, and run the suite on it."""
    session.run("python", "-m", "pip", "freeze")
    options = (*PARALLEL, *options, *(session.posargs or ["tests"]))
    session.run("python", "-m", "pytest", "-q", *options)


@nox.session
def minute(session: nox.Session) -> None:
    """Do what the README says, to the letter, with nothing but the wheel."""
    session.install(".[collector]", *TEST_TOOLS)
    _run_alone(session, "tests/docs/users_minute.py")
