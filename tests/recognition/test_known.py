"""Where known templates come from."""

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from libretto_instrument import TemplateChat, TemplateText
from libretto_instrument._recognition.known import MAX_FILE_BYTES, load_templates

CHAT = [{"role": "user", "content": "{question}"}]


def test_a_mapping() -> None:
    """A mapping's templates are texts, messages, or template objects."""
    found = load_templates(
        {
            "text": "Say {word}",
            "chat": tuple(CHAT),
            "text object": TemplateText("Say {word}", {"word": "hi"}),
            "chat object": TemplateChat(CHAT, {"question": "Why?"}),
        }
    )
    assert dict(found) == {
        "text": "Say {word}",
        "chat": CHAT,
        "text object": "Say {word}",
        "chat object": CHAT,
    }
    assert load_templates(found) is found


@pytest.mark.parametrize("by_name", [True, False])
def test_a_module(monkeypatch: pytest.MonkeyPatch, by_name: bool) -> None:
    """A module's templates are its public texts with a placeholder, and messages."""
    module = ModuleType("prompts_of_mine")
    vars(module).update(
        SLOGAN="A slogan for {product}",
        SUPPORT=CHAT,
        MODEL="a-model",
        NUMBERS=[1, 2],
        EMPTY=[],
        ESCAPED=r"\{not a placeholder\}",
        _PRIVATE="Say {word}",
        json=json,
    )
    monkeypatch.setitem(sys.modules, "prompts_of_mine", module)
    found = load_templates("prompts_of_mine" if by_name else module)
    assert dict(found) == {"SLOGAN": "A slogan for {product}", "SUPPORT": CHAT}
    module.__all__ = ["SUPPORT"]  # type: ignore[attr-defined]
    assert list(load_templates(module)) == ["SUPPORT"]


def test_a_folder(tmp_path: Path) -> None:
    """A folder's templates are its files: texts, and messages as JSON."""
    (tmp_path / "shop").mkdir()
    (tmp_path / "slogan.txt").write_bytes(b"\xef\xbb\xbfA slogan\r\nfor {product}\n")
    (tmp_path / "shop" / "support.json").write_text(json.dumps(CHAT))
    (tmp_path / "shop" / "sales.json").write_text(json.dumps({"messages": CHAT}))
    (tmp_path / "code.py").write_text("x = 1")
    (tmp_path / ".hidden.txt").write_text("{x}")
    expected = {
        "shop/sales": CHAT,
        "shop/support": CHAT,
        "slogan": "A slogan\nfor {product}",
    }
    assert dict(load_templates(tmp_path)) == expected
    assert dict(load_templates(str(tmp_path))) == expected


def test_a_file(tmp_path: Path) -> None:
    """A JSON file holds templates by name."""
    path = tmp_path / "templates.json"
    path.write_text(json.dumps({"support": CHAT, "slogan": "A slogan for {product}"}))
    assert list(load_templates(str(path))) == ["support", "slogan"]


def test_a_package_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name is a module's where a folder of this name is a package."""
    (tmp_path / "my_prompts").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "my_prompts" / "support.txt").write_text("Be {tone}")
    assert list(load_templates("my_prompts")) == ["support"]
    (tmp_path / "my_prompts" / "__init__.py").write_text("SLOGAN = 'Say {x}'")
    assert list(load_templates("my_prompts")) == ["SLOGAN"]
    assert list(load_templates("./my_prompts")) == ["support"]


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (7, TypeError),
        (["text"], TypeError),
        ({"name": 7}, TypeError),
        ({"name": [{"content": "no role"}]}, TypeError),
        ({7: "text"}, TypeError),
        ({"": "text"}, TypeError),
        ("no_such_module_of_mine", ImportError),
        ("json", ValueError),
        ("./no/such/folder", ValueError),
        ("none.json", ValueError),
    ],
)
def test_what_holds_no_templates(source: Any, error: type[Exception]) -> None:
    """A source that holds no templates is refused."""
    with pytest.raises(error):
        load_templates(source)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.json", b"{"),
        ("a.json", b"[" * 100_000),
        ("a.json", b"7"),
        ("a.json", b'[{"content": "no role"}]'),
        ("a.txt", b"\xff"),
        ("a.txt", b"x" * (MAX_FILE_BYTES + 1)),
        ("a.py", b""),
    ],
)
def test_files_that_are_none(tmp_path: Path, name: str, data: bytes) -> None:
    """A file that cannot be a template is refused by its name; others are skipped."""
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=r"a\.json|a\.txt|holds no templates"):
        load_templates(tmp_path)


def test_two_files_of_one_name(tmp_path: Path) -> None:
    """Two files that would have one name are refused."""
    (tmp_path / "a.txt").write_text("{x}")
    (tmp_path / "a.md").write_text("{x}")
    with pytest.raises(ValueError, match="name"):
        load_templates(tmp_path)


def test_equal_templates_are_compiled_once() -> None:
    """Scopes that are entered over and over with equal templates share one index."""
    one, other = (load_templates({"t": [dict(CHAT[0])]}) for _ in range(2))
    assert one != other
    assert one.index is other.index
    assert load_templates({"t": "else"}).index is not one.index
