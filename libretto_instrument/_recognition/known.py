"""Where known templates come from: a mapping, a module, a folder, or a JSON file."""

import json
import os
from collections.abc import Iterator, Mapping
from functools import cached_property, lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from .._templates import TemplateChat, TemplateText, placeholders
from .index import TemplateIndex
from .template import ByContents, Template

#: What templates are loaded from.
Source: TypeAlias = "Mapping[str, Any] | ModuleType | str | os.PathLike[str]"

MAX_FILES = 2_000
MAX_FILE_BYTES = 2**20
_TEXT_SUFFIXES = frozenset((".md", ".prompt", ".txt"))
#: Compiled sets of templates that are kept, for scopes that are entered over and over.
_MAX_INDEXES = 8


class KnownTemplates(Mapping[str, Template]):
    """Templates by name, compiled when they are first needed.

    Equal only to itself, so that settings that hold it are compared in no time.
    """

    def __init__(self, templates: Mapping[str, Any]) -> None:
        """Keep templates.

        Raises:
            TypeError: A name is not a string, or a template is neither a text nor a
                list of messages.
        """
        self._templates = {
            _check_name(name): _read_template(name, template)
            for name, template in templates.items()
        }

    __hash__ = object.__hash__

    def __eq__(self, other: object) -> bool:
        return self is other

    def __getitem__(self, name: str) -> Template:
        return self._templates[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._templates)

    def __len__(self) -> int:
        return len(self._templates)

    def __repr__(self) -> str:
        return f"<{len(self)} templates>"

    @cached_property
    def index(self) -> TemplateIndex:
        """The templates, compiled.

        Raises:
            ValueError: One of them cannot be rendered; the message names it.
        """
        return _compile(ByContents(self._templates))


@lru_cache(maxsize=_MAX_INDEXES)
def _compile(templates: ByContents) -> TemplateIndex:
    return TemplateIndex(templates.value)


def load_templates(source: Source) -> KnownTemplates:
    """Return the templates that a source holds.

    Args:
        source: A mapping of names to texts or lists of messages; a module or its name;
            the path of a folder, or of a JSON file.

    Raises:
        TypeError: The source is none of these, or holds something else than templates.
        ValueError: A file cannot be read as a template, or there is nothing.
        ImportError: The module cannot be imported.
    """
    if isinstance(source, KnownTemplates):
        return source
    if isinstance(source, Mapping):
        return KnownTemplates(source)
    if isinstance(source, ModuleType):
        return KnownTemplates(_read_module(source))
    if isinstance(source, os.PathLike) or (
        isinstance(source, str) and _is_path(source)
    ):
        return KnownTemplates(_read_path(Path(source)))
    if isinstance(source, str):
        return KnownTemplates(_read_module(_import(source)))
    raise TypeError(
        "templates must be a mapping of names to templates, a module or its name, or "
        f"the path of a folder, not {type(source).__name__}."
    )


def _check_name(name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise TypeError(f"A template's name must be a string that says one: {name!r}.")
    return name


def _read_template(name: Any, template: Any) -> Template:
    if isinstance(template, TemplateText | TemplateChat):
        return template.template
    if isinstance(template, str):
        return str(template)
    if is_chat(template):
        return list(template)
    raise TypeError(
        f"The template {name!r} must be a text or a list of messages, "
        f"not {type(template).__name__}."
    )


def is_chat(value: Any) -> bool:
    """Say whether a value is a list of messages; an empty one is, too."""
    return isinstance(value, list | tuple) and all(
        isinstance(message, Mapping) and "role" in message for message in value
    )


def _import(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError:
        raise
    except (Exception, SystemExit) as exc:
        problem = f"{type(exc).__name__}: {exc}"
        raise ImportError(f"{name} can't be imported: {problem}") from exc


def _read_module(module: ModuleType) -> dict[str, Any]:
    """Return a module's templates: of its texts those that have a placeholder."""
    names = getattr(module, "__all__", None) or [
        name for name in vars(module) if not name.startswith("_")
    ]
    found: dict[str, Any] = {}
    for name in names:
        value = getattr(module, name, None)
        is_text = isinstance(value, TemplateText) or (
            isinstance(value, str) and bool(placeholders(value))
        )
        if is_text or (is_chat(value) and value):
            found[name] = value
    if not found:
        raise ValueError(
            f"The module {module.__name__} holds no templates: texts with a "
            "{placeholder}, or lists of messages, under public names."
        )
    return found


def _is_path(source: str) -> bool:
    return (
        os.sep in source
        or "/" in source
        or source.endswith(".json")
        # A package of Python's is a folder, too.
        or (os.path.isdir(source) and not os.path.isfile(f"{source}/__init__.py"))
    )


def _read_path(path: Path) -> dict[str, Any]:
    if path.is_dir():
        return _read_folder(path)
    value = _read_json(path)
    if not isinstance(value, dict):
        raise ValueError(f"{path} must hold a JSON object of templates by name.")
    return value


def _read_folder(folder: Path) -> dict[str, Any]:
    """Return the templates in a folder, each file's by its path without the suffix."""
    found: dict[str, Any] = {}
    paths: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        is_hidden = any(part.startswith(".") for part in relative.parts)
        is_text = path.suffix in _TEXT_SUFFIXES
        if is_hidden or not (is_text or path.suffix == ".json") or not path.is_file():
            continue
        name = relative.with_suffix("").as_posix()
        if name in found:
            raise ValueError(f"{path} and {paths[name]} are one template's name.")
        if len(found) == MAX_FILES:
            raise ValueError(f"{folder} holds more than {MAX_FILES} templates.")
        paths[name] = path
        # Editors put a line end after the last line.
        found[name] = _read_text(path).removesuffix("\n") if is_text else _chat(path)
    if not found:
        raise ValueError(f"{folder} holds no templates: .txt, .md, .prompt or .json.")
    return found


def _chat(path: Path) -> Any:
    """Return the template in a JSON file: messages, or an object that holds them."""
    value = _read_json(path)
    if isinstance(value, dict) and "messages" in value:
        value = value["messages"]
    if not isinstance(value, str) and not is_chat(value):
        raise ValueError(f"{path} must hold a list of messages.")
    return value


def _read_json(path: Path) -> Any:
    text = _read_text(path)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise ValueError(f"{path} is not JSON: {exc}.") from exc


def _read_text(path: Path) -> str:
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
        if len(data) > MAX_FILE_BYTES:
            raise ValueError(f"{path} is longer than {MAX_FILE_BYTES} bytes.")
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except OSError as exc:
        raise ValueError(f"{path} cannot be read: {exc.strerror}.") from exc
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8.") from None
