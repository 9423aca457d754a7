"""Recognition applied to calls: those being recorded, and those stored before."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve, frozen

from .._templates import TemplateChat, TemplateError, TemplateText
from .align import escape
from .index import TemplateIndex
from .pattern import MAX_SCANNED_CHARS, BudgetExceededError
from .template import (
    Ambiguous,
    ByContents,
    CompiledTemplate,
    Match,
    Template,
    as_messages,
    as_text,
    compile_declared,
)

#: Messages that may follow those of a declared template that ends with a history.
_MAX_APPENDED = 200


def recognize(
    index: TemplateIndex,
    sent: Template,
    name: str | None = None,
    *,
    has_instructions: bool = False,
) -> Match | Ambiguous | None:
    """Return which template a prompt was made from; see `TemplateIndex.recognize`.

    ``has_instructions``: the first message may be apart from the rest, which alone may
    have been made from a template.
    """
    found = index.recognize(sent, name)
    if found is not None or not has_instructions or isinstance(sent, str):
        return found
    found = index.recognize(sent[1:], name)
    if isinstance(found, Match):
        return evolve(found, template=[escape(sent[0]), *found.template])
    return found


def fit_declared(
    template: Template, params: Mapping[str, Any], sent: Template
) -> tuple[Template, dict[str, Any]] | None:
    """Return a declared template, and its parameters, as they hold for what was sent.

    None if the template does not fit. Structured parameters are taken as they are,
    others are corrected by what was sent. Messages after those of the template, such as
    calls of tools and their results, are recorded as they are.
    """
    exact = _fit_exactly(template, params, sent)
    if exact is not None:
        return exact, dict(params)
    try:
        found = _match(compile_declared(ByContents(template)), sent)
    except (BudgetExceededError, ValueError):
        return None
    if found is None:
        return None
    corrected = {
        name: value
        for name, value in found.params.items()
        if not _agrees(name, value, params)
    }
    return found.template, {**params, **corrected}


@frozen
class Call:
    """A call that was recorded without a template: its prompt, and that one's name."""

    name: str | None
    sent: Template


def read_call(event: Any) -> Call | None:
    """Return the call that an event's body tells of; None if it has a template."""
    if not isinstance(event, dict) or event.get("params"):
        return None
    sent: Any = event.get("promptTemplateChat")
    if sent is None:
        sent = event.get("promptTemplateText")
        is_prompt = isinstance(sent, str)
    else:
        is_prompt = isinstance(sent, list) and all(isinstance(m, dict) for m in sent)
    if not is_prompt:
        return None
    name = event.get("promptTemplateName") or event.get("apiName")
    return Call(name if isinstance(name, str) else None, sent)


def reread(event: Mapping[str, Any], index: TemplateIndex) -> dict[str, Any] | None:
    """Return a stored event with its template, or None if none is recognised.

    The prompt's name is kept if there is one.
    """
    call = read_call(event)
    if call is None:
        return None
    api = event.get("modelParameters")
    found = recognize(
        index,
        call.sent,
        call.name,
        has_instructions=isinstance(api, dict) and api.get("modelApi") == "responses",
    )
    if not isinstance(found, Match):
        return None
    name = call.name or found.name
    is_text = isinstance(call.sent, str)
    key = "promptTemplateText" if is_text else "promptTemplateChat"
    changes = {key: found.template, "params": found.params}
    return {**event, "apiName": name, "promptTemplateName": name, **changes}


def _fit_exactly(
    template: Template, params: Mapping[str, Any], sent: Template
) -> Template | None:
    """Return a template that renders with its parameters to what was sent."""
    try:
        if isinstance(template, str):
            text = TemplateText(template, params)
            if isinstance(sent, str):
                return template if text == sent else None
            template = as_messages(template)
        if isinstance(sent, str):
            return None
        rendered = list(TemplateChat(template, params))
    except TemplateError:
        return None
    if rendered != sent[: len(rendered)]:
        return None
    return [*template, *escape(sent[len(rendered) :])]


def _match(declared: CompiledTemplate, sent: Template) -> Match | None:
    budget = [MAX_SCANNED_CHARS]
    if isinstance(sent, str):
        found = declared.is_text and as_text(declared.match(as_messages(sent), budget))
        return found if isinstance(found, Match) else None
    fewest = sum(map(len, declared.runs))
    most = len(sent) if declared.histories else fewest
    for end in range(most, max(fewest, most - _MAX_APPENDED) - 1, -1):
        found = declared.match(sent[:end], budget)
        if isinstance(found, Match):
            return evolve(found, template=[*found.template, *escape(sent[end:])])
        if found is not None:
            return None
    return None


def _agrees(name: str, value: Any, params: Mapping[str, Any]) -> bool:
    """Return whether declared parameters say the same as what was found, or more."""
    declared = params.get(name)
    if isinstance(declared, Mapping) or (
        isinstance(declared, Sequence) and not isinstance(declared, str)
    ):
        return isinstance(value, str) or value == declared
    if not isinstance(value, str):
        return False
    try:
        return TemplateText(f"{{{name}}}", params) == value
    except TemplateError:
        return False
