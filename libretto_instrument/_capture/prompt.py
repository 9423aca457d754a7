"""Finds the template and parameters of what was sent. Runs on the worker."""

from typing import TYPE_CHECKING, Any

from attrs import frozen

from .._templates import TemplateText
from .._util import errors

if TYPE_CHECKING:
    from .._recognition.template import Ambiguous, Match
    from .record import CallRecord

#: The key of an event's context that says that a prompt fits templates, but not how.
AMBIGUOUS_KEY = "template"


@frozen(repr=False)
class Prompt:
    """A template and its parameters, as they are recorded.

    Attributes:
        template: Messages, or a text.
        params: The parameters.
        name: The template's name, where it was recognised.
        candidates: The names of templates that what was sent may be made from.
    """

    template: list[Any] | str
    params: dict[str, Any]
    name: str | None = None
    candidates: tuple[str, ...] = ()


def read_prompt(record: "CallRecord") -> Prompt:
    """Return the prompt of a call.

    It is the template object that was sent, or the template that the call declares;
    else that of a scope, where it fits; else the known template that is recognised;
    else what was sent.
    """
    endpoint, request = record.endpoint, record.request
    declared = record.params or {}
    if record.template is not None and not record.is_from_scope:
        params: dict[str, Any] = {}
        template = endpoint.to_template(record.template, request)
        template = _strip_values(template, params)
        return Prompt(template, {**declared, **params})
    sent = endpoint.to_template(request.get(endpoint.input), request)
    if record.template is not None:
        fitting = _fit(record, sent)
        if fitting is not None:
            return fitting
    params = {}
    template = _strip_values(sent, params)
    if params or not record.settings.templates:
        return Prompt(template, {**declared, **params})
    found = _recognize(record, sent)
    if found is None:
        return Prompt(sent, declared)
    if hasattr(found, "names"):
        return Prompt(sent, declared, candidates=found.names)
    return Prompt(found.template, {**declared, **found.params}, found.name)


def name_event(record: "CallRecord", prompt: Prompt) -> str | None:
    """Return the name of a call's prompt.

    A name that the call or its scope gives counts before that of a recognised template,
    and this one before all other names.
    """
    settings = record.settings
    if settings.has_own_name and settings.template_name:
        return settings.template_name
    return prompt.name or settings.template_name or record.caller


def add_candidates(
    context: dict[str, Any] | None, prompt: Prompt
) -> dict[str, Any] | None:
    """Return an event's context, which says if its prompt is ambiguous."""
    if not prompt.candidates:
        return context
    note = {AMBIGUOUS_KEY: "ambiguous", "template_candidates": list(prompt.candidates)}
    return {**note, **(context or {})}


def _fit(record: "CallRecord", sent: list[Any] | str) -> Prompt | None:
    """Return the template that a scope declares, if it fits what was sent."""
    from .._recognition.apply import fit_declared

    template, params = record.template, record.params or {}
    found = fit_declared(template, params, sent)
    if found is None and _has_instructions(record) and isinstance(sent, list):
        found = fit_declared(template, params, sent[1:])
        if found is not None and isinstance(found[0], list):
            found = [sent[0], *found[0]], found[1]
    return None if found is None else Prompt(*found)


def _recognize(
    record: "CallRecord", sent: list[Any] | str
) -> "Match | Ambiguous | None":
    from .._recognition.apply import recognize

    settings = record.settings
    if settings.templates is None:
        return None
    try:
        index = settings.templates.index
    except ValueError as exc:
        errors.warn_once("templates", "Templates are not recognised: %s", exc)
        return None
    return recognize(
        index, sent, settings.template_name, has_instructions=_has_instructions(record)
    )


def _has_instructions(record: "CallRecord") -> bool:
    """Return whether the first message stands for the ``instructions`` of a request."""
    return record.request.get("instructions") is not None and "instructions" in (
        record.endpoint.input_fields
    )


def _strip_values(value: Any, params: dict[str, Any]) -> Any:
    """Return input with each `TemplateText` as its template; collect the parameters."""
    if isinstance(value, str):
        if isinstance(value, TemplateText):
            params.update(value.params)
            return value.template
        return value
    if isinstance(value, list):
        return [_strip_values(item, params) for item in value]
    if isinstance(value, dict):
        return {name: _strip_values(item, params) for name, item in value.items()}
    return value
