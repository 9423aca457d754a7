"""One known template: a text or chat messages, matched against what was sent.

A text is compiled and matched as a chat of one message, the user's.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any, TypeAlias

from attrs import evolve, frozen

from .._templates import TemplateChat, TemplateError
from .pattern import Attempt, MessagePattern, compile_message, compile_text

Template: TypeAlias = str | list[Any]

#: Declared templates that are kept compiled.
_MAX_COMPILED = 64


class ByContents(str):
    """A key for caches: equal where what it holds has equal contents."""

    value: Any

    def __new__(cls, value: Any) -> "ByContents":
        self = super().__new__(cls, repr(value))
        self.value = value
        return self


def as_messages(sent: Template) -> list[Any]:
    """Return messages as they are, and a text as a chat of one message."""
    return [{"role": "user", "content": sent}] if isinstance(sent, str) else sent


@frozen
class Match:
    """A template that was recognised.

    Attributes:
        name: The template's name.
        template: The text or the messages, with their placeholders. Filled with
            ``params`` it is what was sent.
        params: The parameters, by placeholder: strings, and lists of messages.
    """

    name: str
    template: str | list[Any]
    params: dict[str, Any]


@frozen
class Ambiguous:
    """What was sent fits several templates, or one in several ways.

    Attributes:
        names: The templates' names.
    """

    names: tuple[str, ...]


@frozen(eq=False)
class CompiledTemplate:
    """A template: runs of messages, with histories in between.

    Attributes:
        name: Its name.
        is_text: It is a text.
        runs: The patterns before, between and after the histories.
        histories: For each history, its entries, and the names of its lists.
    """

    name: str
    is_text: bool
    runs: tuple[tuple[MessagePattern, ...], ...]
    histories: tuple[tuple[list[Any], list[str]], ...]

    def match(
        self, messages: Sequence[Any], budget: list[int]
    ) -> Match | Ambiguous | None:
        """Return how messages were made from this template; None if they were not."""
        attempt = Attempt(budget)
        positions = self._place(messages, attempt)
        if positions is None:
            return None
        if attempt.is_ambiguous:
            return Ambiguous((self.name,))
        template: list[Any] = []
        end = 0
        for index, (start, run) in enumerate(zip(positions, self.runs, strict=True)):
            if index:
                entries, names = self.histories[index - 1]
                template += entries
                if len(names) > 1 and start > end:
                    # Where one list ends and the next begins cannot be seen.
                    return Ambiguous((self.name,))
                for name in names:
                    if not attempt.keep(name, list(messages[end:start])):
                        return None
            for message, pattern in zip(messages[start:], run, strict=False):
                recorded = pattern.match(message, attempt)
                if recorded is None:
                    return None
                template.append(recorded)
            end = start + len(run)
        if attempt.is_ambiguous:
            return Ambiguous((self.name,))
        return self._check(template, attempt.params, messages)

    def _check(
        self, template: list[Any], params: dict[str, Any], messages: Sequence[Any]
    ) -> Match | None:
        """Return the match if it renders to what was sent."""
        try:
            rendered = TemplateChat(template, params)
        except TemplateError:
            return None
        if list(rendered) != list(messages):
            return None
        return Match(self.name, template, params)

    def _place(self, messages: Sequence[Any], attempt: Attempt) -> list[int] | None:
        """Return the index of each run of messages; None if they fit nowhere.

        As in a text: each has its first possible position, and if one has a later one,
        too, the template is ambiguous.
        """
        runs = self.runs
        last = len(messages) - len(runs[-1])
        if len(runs) == 1:
            return [0] if not last else None
        if last < len(runs[0]) or not self._fits(0, messages, 0, attempt):
            return None
        if not self._fits(len(runs) - 1, messages, last, attempt):
            return None
        positions = [0]
        for index in range(1, len(runs) - 1):
            start = positions[-1] + len(runs[index - 1])
            found = self._find(index, messages, start, last, attempt)
            if found is None:
                return None
            positions.append(found)
        positions.append(last)
        for index in range(1, len(runs) - 1):
            later, limit = positions[index] + 1, positions[index + 1]
            if self._find(index, messages, later, limit, attempt) is not None:
                attempt.is_ambiguous = True
        return positions

    def _find(
        self,
        index: int,
        messages: Sequence[Any],
        start: int,
        end: int,
        attempt: Attempt,
    ) -> int | None:
        """Return the first position of a run between two indexes, or None."""
        for position in range(start, end - len(self.runs[index]) + 1):
            if self._fits(index, messages, position, attempt):
                return position
        return None

    def _fits(
        self, index: int, messages: Sequence[Any], start: int, attempt: Attempt
    ) -> bool:
        """Return whether each message of a run fits at an index, by itself."""
        return all(
            pattern.match(messages[start + offset], Attempt(attempt.budget)) is not None
            for offset, pattern in enumerate(self.runs[index])
        )


def compile_template(name: str, template: str | Sequence[Any]) -> CompiledTemplate:
    """Return a template made ready for matching.

    Raises:
        ValueError: It is neither a text nor messages, or cannot be rendered.
    """
    is_text = isinstance(template, str)
    runs: list[list[MessagePattern]] = [[]]
    histories: list[tuple[list[Any], list[str]]] = []
    messages = as_messages(template) if isinstance(template, str) else template
    for message in messages:
        if not isinstance(message, Mapping):
            raise ValueError(
                f"The template {name!r} holds a {type(message).__name__} among its "
                "messages, which are mappings with a role and content."
            )
        if message.get("role") != "chat_history":
            runs[-1].append(compile_message(message))
            continue
        names = list(_history_names(name, message))
        if histories and not runs[-1]:
            histories[-1][0].append(message)
            histories[-1][1].extend(names)
        else:
            histories.append(([message], names))
            runs.append([])
    return CompiledTemplate(name, is_text, tuple(map(tuple, runs)), tuple(histories))


@lru_cache(maxsize=_MAX_COMPILED)
def compile_declared(template: ByContents) -> CompiledTemplate:
    """Return a template that a call or a scope declares, made ready for matching."""
    return compile_template("", template.value)


def as_text(found: "Match | Ambiguous | None") -> "Match | Ambiguous | None":
    """Return what was found for a text, with the template as a text."""
    if not isinstance(found, Match):
        return found
    return evolve(found, template=found.template[0]["content"])  # type: ignore[index]


def _history_names(name: str, message: Mapping[str, Any]) -> Iterator[str]:
    content = message.get("content")
    text = compile_text(content if isinstance(content, str) else "")
    if not text.names or "".join(text.literals).strip():
        raise ValueError(
            f"The chat_history message of the template {name!r} must be one or more "
            'placeholders and nothing else, such as "{history}".'
        )
    return iter(text.names)
