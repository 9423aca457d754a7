"""The documentation: what it names exists, and it loads nothing from others."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import libretto_instrument
import libretto_openai
from libretto_instrument import testing

ROOT = Path(__file__).parents[1]
PAGES = [
    page
    for page in sorted((ROOT / "docs").rglob("*.md"))
    if page.parent.name != "_tables"
]

#: A test as the pages name it.
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
#: Something that a browser fetches to show a page, from elsewhere.
_FETCHED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\ssrc=["']?(?:https?:)?//[^\s"'>]+"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|icon|preload|preconnect))"""
    r"""[^>]*\shref=["']?(?:https?:)?//[^\s"'>]+"""
    r"""|(?:@import\s+|url\()["']?(?:https?:)?//[^\s"')]+"""
)


def test_the_tests_that_are_named() -> None:
    """Each test that a page refers to exists."""
    named = {found for page in PAGES for found in _TEST.findall(page.read_text())}
    assert len(named) > 150
    for path, name in sorted(named):
        defined = rf"^(?:async )?def {name}\("
        found = re.search(defined, (ROOT / path).read_text("utf-8"), re.MULTILINE)
        assert found, f"{path}::{name}"


def test_each_promise_names_its_test() -> None:
    """Each row of the guarantees leads to a test, or says why none is possible."""
    page = (ROOT / "docs" / "guarantees.md").read_text("utf-8")
    notes = dict(re.findall(r"^\[\^([\w-]+)\]: (.*)$", page, re.MULTILINE))
    assert set(re.findall(r"\[\^([\w-]+)\](?!:)", page)) == set(notes)
    assert all(_TEST.fullmatch(note) for note in notes.values())
    tables = re.findall(r"^\| .*\n\| ---.*\n((?:\|.*\n)+)", page, re.MULTILINE)
    rows = [row for table in tables for row in table.splitlines()]
    assert len(rows) > 100
    for row in rows:
        assert "[^" in row or re.search(r"\(.*\btest\b.*\)", row), row


@pytest.mark.parametrize(
    "module", [libretto_instrument, libretto_openai, testing], ids=lambda m: m.__name__
)
def test_the_reference_is_whole(module) -> None:
    """Each public name is in the reference, but for those that stand elsewhere."""
    pages = (ROOT / "docs" / "reference").glob("*.md")
    words = set(re.findall(r"\w+", " ".join(page.read_text() for page in pages)))
    assert set(module.__all__) - {"__version__"} <= words


@pytest.mark.parametrize(
    ("html", "fetches"),
    [
        ('<script src="https://cdn.example/x.js">', True),
        ("<script src=../assets/x.js>", False),
        ('<link rel="stylesheet" href="//fonts.example/x.css">', True),
        ('<link rel="canonical" href="https://docs.example/">', False),
        ('<link rel="preconnect" href="https://fonts.example">', True),
        ('<a href="https://pypi.org/project/openai/">', False),
        ("body{background:url(https://img.example/x.png)}", True),
        ("body{background:url(data:image/svg+xml,x)}", False),
    ],
)
def test_what_is_fetched(html: str, fetches: bool) -> None:
    """What a browser would load is told from what a reader may follow."""
    assert bool(_FETCHED.search(html)) is fetches


def test_the_site(tmp_path: Path) -> None:
    """The pages build without a warning, and none makes a browser ask another host."""
    pytest.importorskip("mkdocs", reason="the extra 'docs' is not installed")
    pytest.importorskip("mkdocstrings", reason="the extra 'docs' is not installed")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"),
            *("--config-file", str(ROOT / "mkdocs.yml"), "--site-dir", str(tmp_path)),
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    built = [*tmp_path.rglob("*.html"), *tmp_path.rglob("*.css")]
    assert len([path for path in built if path.suffix == ".html"]) >= len(PAGES)
    fetched = {
        f"{path.relative_to(tmp_path)}: {found.group()}"
        for path in built
        for found in _FETCHED.finditer(path.read_text("utf-8"))
    }
    assert not fetched
