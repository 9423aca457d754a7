"""Every code block that users read is run, or checked as far as it can be.

The pages are README.md, docs/**/*.md and examples/*.md. What is done with a fenced
block goes by its language:

``python`` (``py``)
    The blocks of a page run in order in one namespace and one process, ``await`` at the
    top included, against the offline model and a Libretto on loopback. The names in
    ``given.py`` are there from the start: a client, a question, a framework. A block
    that defines ``test_…`` functions is run by pytest instead, as a file of its own
    that imports these names. Else, a block that would talk to anything but loopback or
    write elsewhere than below the current directory fails.
``console`` (``bash``, ``sh``)
    In a block where lines begin with ``$``, those are the commands, and the others are
    what they print; else each line is a command. All must be the shell's grammar.
    ``libretto-instrument`` lines are given to its real parser; extras, targets of make,
    sessions of nox and paths of Python files must exist.
``json``, ``toml``, ``yaml``
    Are parsed.

A comment of HTML in the line above the fence changes that:

``<!-- not run: REASON -->``
    The block needs what is not there, Celery say, or is only a piece of a program. It
    must still be Python, and is type-checked, names that it does not define aside.
``<!-- new program -->``
    This block and those below start with a fresh namespace. What is installed stays.

Other languages, such as ``text`` and ``mermaid``, are not looked at.
"""

import ast
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import commands_of, extras, fault_of
from openai.types.shared import chat_model
from pages import MODEL, ROOT, Block, RunPage, blocks_of, pages
from support.backend import Backend

import libretto_instrument

#: Languages of which nothing can be held.
UNCHECKED = {
    *("", "text", "output", "mermaid", "diff", "http", "log", "html", "css", "js"),
    *("ini", "systemd", "dockerfile", "docker", "sql", "makefile", "make"),
}
CHECKED = {"python", "console", "json", "toml", "yaml"}

#: By tests of their own, which look at what comes of it.
RUN_ELSEWHERE = ("migrating.md", "opentelemetry.md")

BLOCKS = [block for page in pages() for block in blocks_of(page)]
#: The others have tests of their own, which look at what arrived.
PROGRAMS = sorted(
    {block.page for block in BLOCKS if block.language == "python"}
    - {ROOT / "README.md", *(ROOT / "docs" / name for name in RUN_ELSEWHERE)}
)


def name_of(page: Path) -> str:
    """Return how a page is called in the report."""
    return str(page.relative_to(ROOT))


def of_language(*languages: str) -> list[Any]:
    """Return the blocks in these languages, as parameters."""
    return [
        pytest.param(block, id=f"{name_of(block.page)}:{block.line}")
        for block in BLOCKS
        if block.language in languages
    ]


@pytest.mark.parametrize("page", PROGRAMS, ids=name_of)
def test_python_runs(page: Path, run_page: RunPage) -> None:
    """The Python blocks of a page do what they say, from its top to its end."""
    run_page(page)


def test_the_readme_holds_what_it_promises(run_page: RunPage, backend: Backend) -> None:
    """The README's examples leave the events, feedback and chain that it describes."""
    run_page(ROOT / "README.md")
    by_name: dict[str | None, list[Any]] = {}
    for event in backend.events:
        by_name.setdefault(event["apiName"], []).append(event)
    first = by_name["sport-emoji"][0]
    assert first["params"] == {"sport": "curling"}
    assert "{sport}" in first["promptTemplateChat"][0]["content"]
    (feedback,) = backend.stored("feedback")
    assert feedback["feedback_key"] == first["feedbackKey"]
    assert feedback["rating"] == 1.0
    (answer,) = by_name["answer"]
    assert answer["chatId"] == "session-1"
    assert answer["context"] == {"user": "user-1"}
    (result,) = backend.stored("chain")
    chained = [e for e in backend.events if e.get("chainId") == result["id"]]
    assert [event["response"] for event in chained][-1] == result["result"]
    assert len(chained) == 2


@pytest.mark.parametrize("block", of_language("console"))
def test_commands_exist(block: Block) -> None:
    """A command that a page tells to type is one that its reader has."""
    wrong = [
        f"{block.page}:{line}: {fault}"
        for line, command in commands_of(block)
        if block.mark != "not run" and (fault := fault_of(command))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    "example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.name
)
def test_examples_say_how_they_are_run(example: Path) -> None:
    """The commands in an example's docstring name what its reader has."""
    said = ast.get_docstring(ast.parse(example.read_text("utf-8"))) or ""
    _, _, below = said.partition("To run it:\n")
    commands = [line.strip() for line in below.splitlines() if line.strip()]
    assert commands[0].startswith("pip install ")
    assert example.stem in "".join(commands)
    for command in commands:
        assert fault_of(command) is None, command
        for name in re.findall(r"\b\w+\.py\b", command):
            assert (example.parent / name).exists(), command


@pytest.mark.parametrize("block", of_language("json", "toml", "yaml"))
def test_data_can_be_parsed(block: Block) -> None:
    """A block of data is what its fence says."""
    if block.mark == "not run":
        pytest.skip(block.why)
    if block.language == "json":
        json.loads(block.text)
    elif block.language == "toml":
        pytest.importorskip("tomllib").loads(block.text)
    else:
        list(pytest.importorskip("yaml").safe_load_all(block.text))


def type_faults(blocks: list[Block], folder: Path) -> str:
    """Return what mypy says of blocks, each a module of its own."""
    pytest.importorskip("mypy")
    where = {f"block_{number}.py": block for number, block in enumerate(blocks)}
    for name, block in where.items():
        (folder / name).write_text(block.text, "utf-8")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--config-file=", "--check-untyped-defs"),
            *("--ignore-missing-imports", "--follow-imports=silent", "--no-pretty"),
            *("--allow-redefinition", "--no-error-summary"),
            *("--disable-error-code=name-defined", "--disable-error-code=empty-body"),
            *("--disable-error-code=top-level-await", *where),
        ],
        cwd=folder,
        env={**os.environ, "MYPY_CACHE_DIR": str(ROOT / ".mypy_cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return re.sub(
        r"^(block_\d+\.py):(\d+)",
        lambda at: f"{where[at[1]].page}:{where[at[1]].line + int(at[2]) - 1}",
        done.stdout,
        flags=re.MULTILINE,
    )


def test_what_is_not_run_has_the_right_types(tmp_path: Path) -> None:
    """A block that is only a piece of a program uses our names as they are."""
    blocks = [b for b in BLOCKS if b.language == "python" and b.mark == "not run"]
    if not blocks:
        pytest.skip("every Python block is run")
    assert type_faults(blocks, tmp_path) == ""


def test_every_block_is_looked_at() -> None:
    """A block says which language it is in, a mark why; none is passed over."""
    for block in BLOCKS:
        assert block.language in CHECKED | UNCHECKED, (
            f"{block.place}: what shall be done with {block.language!r}?"
        )
        if block.mark == "not run":
            assert block.why, f"{block.place}: say why it is not run"
    assert {"python", "console"} <= {block.language for block in BLOCKS}


def _variables(text: str) -> Iterator[str]:
    yield from re.findall(r"\bLIBRETTO_[A-Z_]*[A-Z]\b(?!_?\*)", text)


@pytest.mark.parametrize("page", pages(), ids=name_of)
def test_variables_exist(page: Path) -> None:
    """A variable that a page names is one that the library reads."""
    package = Path(libretto_instrument.__file__).parent
    source = "".join(path.read_text("utf-8") for path in package.rglob("*.py"))
    assert set(_variables(page.read_text("utf-8"))) <= set(_variables(source))


# The checks themselves


def page_of(tmp_path: Path, text: str) -> Path:
    """Write a page."""
    path = tmp_path / "page.md"
    path.write_text(text, "utf-8")
    return path


def test_blocks_are_found(tmp_path: Path) -> None:
    """Blocks in tabs and longer fences are read as their readers see them."""
    page = page_of(
        tmp_path,
        '=== "a tab"\n\n'
        '    ```py title="app.py"\n'
        "    if x:\n"
        "        y\n"
        "\n"
        "    ```\n"
        "<!-- not run: needs a moon -->\n\n"
        "~~~ bash\n"
        "```\n"
        "~~~\n"
        "<!-- new program -->\n"
        "```` { .python .annotate }\n"
        "```\n"
        "````\n",
    )
    assert list(blocks_of(page)) == [
        Block(page, 4, "python", "if x:\n    y\n\n"),
        Block(page, 11, "console", "```\n", "not run", "needs a moon"),
        Block(page, 15, "python", "```\n", "new program"),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("```python\nx = 1\nraise ValueError('no')\n```", 'page.md", line 3'),
        ("```python\nopen('/nowhere', 'w')\n```", "writes to /nowhere"),
        ("```python\nimport os\nos.remove('/nowhere')\n```", "writes to /nowhere"),
        (
            "```python\nimport socket\nsocket.socket().connect(('192.0.2.1', 80))\n```",
            "talks to 192.0.2.1",
        ),
        ("```python\nx = 1\n```\n<!-- new program -->\n```python\nx\n```", "NameError"),
        ("```python\nasync def f():\n  1 / 0\nawait f()\n```", "ZeroDivisionError"),
        ("```python\ndef test_it():\n    assert not session\n```", "AssertionError"),
    ],
)
def test_a_wrong_page_fails(
    tmp_path: Path, run_page: RunPage, text: str, said: str
) -> None:
    """A page whose code does not do what it says is reported, with its line."""
    with pytest.raises(AssertionError, match="Error") as failed:
        run_page(page_of(tmp_path, text))
    assert said in str(failed.value)


def test_a_good_page_passes(tmp_path: Path, run_page: RunPage) -> None:
    """Blocks share names, may await and write here; what is marked is left out."""
    run_page(
        page_of(
            tmp_path,
            "```python\nx = 1\n```\n"
            "```python\nimport asyncio\nawait asyncio.sleep(0)\n"
            "open('here', 'w').close()\nassert x == 1 and session\n```\n"
            "<!-- not run: it would fail -->\n```python\n1 / 0\n```\n"
            "```python\nasync def test_it():\n    assert session\n```\n",
        )
    )


def test_types_are_judged(tmp_path: Path) -> None:
    """A wrong name of ours is reported with its line; one of another package is not."""
    page = page_of(
        tmp_path,
        "```python\n"
        "import somebodys\n"
        "import libretto_instrument as libretto\n"
        "@somebodys.task\n"
        "def work(): somebodys.do(unknown)\n"
        "libretto.flush(timeout='soon')\n"
        "libretto.install(prompt_template_nam='x')\n"
        "```\n",
    )
    told = type_faults(list(blocks_of(page)), tmp_path).splitlines()
    wrong = [line.partition(": error")[0] for line in told if ": error" in line]
    assert wrong == [f"{page}:6", f"{page}:7"]


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        ("libretto-instrument relay --spool /var/spool/x   # a word", None),
        ("LIBRETTO_API_KEY=x libretto-instrument serve --port 0 > log", None),
        ("libretto-instrument serve --prot 0", "does not take"),
        ("true && libretto-instrument sereve", "does not take"),
        ("python -m libretto_instrument --version", None),
        ("pip install 'libretto-instrument[collector,pii]' fastapi", None),
        ("pip install 'libretto-instrument[pi]'", "no extra pi"),
        ("pip install 'libretto-instrument[pii'", "Expected"),
        ("make demo ARGS=--stay", None),
        ("make demmo", "no target demmo"),
        ("nox -s compat", None),
        ("nox -s compact", "no session compact"),
        ("python benchmarks/pii.py", None),
        ("python benchmarks/pi.py", "no benchmarks/pi.py"),
        ("cd 'there", "unexpected EOF"),
        ("uvicorn app:app --port 8000 &", None),
    ],
)
def test_commands_are_judged(command: str, fault: str | None) -> None:
    """A command that its reader could not give is found, and no other."""
    found = fault_of(command)
    assert (found is None) if fault is None else (fault in str(found))


def test_commands_are_told_from_what_they_print(tmp_path: Path) -> None:
    """Behind a prompt stands a command, which may go over several lines."""
    text = "```console\n$ one \\\n>   two\nprinted\n$ three\n```\n```sh\nfour\n```\n"
    blocks = blocks_of(page_of(tmp_path, text))
    found = [command for block in blocks for command in commands_of(block)]
    assert found == [(2, "one   two"), (5, "three"), (8, "four")]


def test_the_extras_are_read() -> None:
    """What commands are checked against is what pyproject.toml says."""
    assert {"collector", "pii", "dev"} <= set(extras())


# Models


def test_models() -> None:
    """Pages and examples call one model, which OpenAI has not announced to retire."""
    examples = [path.read_text("utf-8") for path in (ROOT / "examples").glob("*.py")]
    texts = [page.read_text("utf-8") for page in pages()] + examples
    named = {name for text in texts for name in re.findall(r"\bgpt-[\w.-]*\w", text)}
    assert named == {MODEL}
    source = inspect.getsource(chat_model)
    assert f'"{MODEL}"' in source.partition("Deprecated values")[0]
    assert f'"{MODEL}"' not in source.partition("Deprecated values")[2]
