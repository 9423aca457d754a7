"""The request of a case, made again: as it was, but for what is to change."""

import hashlib
import importlib
import inspect
import json
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from attrs import field, frozen

from .._templates import TemplateChat, TemplateError, TemplateText, escape_unknown
from ._case import Case


@frozen(kw_only=True)
class Change:
    """What a replay changes of the recorded requests.

    None leaves template and model as they were; ``parameters`` are arguments of the
    request to set, ``remove`` those to leave out.
    """

    template: Any = field(default=None, repr=False)
    model: str | None = None
    parameters: Mapping[str, Any] = field(factory=dict)
    remove: Sequence[str] = ()

    @property
    def digest(self) -> str:
        """The same eight digits for the same change."""
        identity = [self.template, self.model, dict(self.parameters), list(self.remove)]
        text = json.dumps(identity, sort_keys=True, default=repr)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


@frozen(kw_only=True)
class Request:
    """What to call, and with what.

    ``template`` is the template's part of the ``libretto=`` argument, where there is
    one.
    """

    endpoint: str
    arguments: dict[str, Any]
    template: dict[str, Any]


class ReplayError(ValueError):
    """A replay was asked for that can't be made; nothing was sent."""


class ObstacleError(ValueError):
    """The request of a case can't be made again as it was."""


def build_request(case: Case, change: Change) -> Request:
    """Return the request of a case with a change made to it.

    Raises:
        TemplateError: The new template can't be rendered with the case's parameters.
        ReplayError: The change does not fit the case.
        ObstacleError: The request can't be made as it was.
    """
    if change.template is None:
        try:
            return _try_build(case, change, case.template)
        except TemplateError as exc:
            # It was rendered once, so what is missing was more than JSON can hold.
            raise ObstacleError(f"its parameters were no plain data: {exc}") from exc
    return _try_build(case, change, change.template)


def _try_build(case: Case, change: Change, template: Any) -> Request:
    try:
        return _build(case, change, template)
    except (AttributeError, LookupError, RecursionError, TypeError) as exc:
        problem = f"{type(exc).__name__}: {exc}"
        raise ObstacleError(f"its request can't be made of it ({problem})") from exc


def _build(case: Case, change: Change, template: Any) -> Request:
    if isinstance(template, str) and case.endpoint != "completion":
        count = len(case.template) if isinstance(case.template, list) else 1
        if count != 1:
            raise ReplayError(
                f"a text can't take the place of {count} messages; give a list of them"
            )
        template = [{"role": "user", "content": template}]
    if not isinstance(template, str) and case.endpoint == "completion":
        raise ReplayError("the template of a completion must be a text")
    is_literal = change.template is None and not case.params
    # What has no value was no placeholder: the recorded template was rendered once.
    own = change.template is None
    source = escape_unknown(template, case.params) if own else template
    arguments = _arguments(case, change)
    if case.endpoint == "completion":
        text = template if is_literal else str(TemplateText(source, case.params))
        arguments["prompt"] = _prompt(text, case)
    else:
        chat = (
            _as_sent(template)
            if is_literal
            else list(TemplateChat(source, case.params))
        )
        if case.endpoint == "chat":
            arguments["messages"] = chat
        else:
            # Recorded by its own template, which the recorder puts in front.
            template = _set_input(arguments, case, chat, template, source, is_literal)
    template_fields: dict[str, Any] = {}
    if not is_literal:
        name = "template_text" if isinstance(template, str) else "template_chat"
        template_fields = {name: template, "template_params": case.params}
    return Request(
        endpoint=case.endpoint, arguments=arguments, template=template_fields
    )


def _as_sent(messages: list[Any]) -> list[Any]:
    """Return messages that were no template; ``ai`` is a role of ours."""
    if any(_role(message) == "chat_history" for message in messages):
        raise TemplateError("There are no parameters for it.", messages, None)
    return [
        {**message, "role": "assistant"} if _role(message) == "ai" else message
        for message in messages
    ]


def _role(message: Any) -> Any:
    return message.get("role") if isinstance(message, Mapping) else None


def _prompt(text: str, case: Case) -> Any:
    """Return the prompt of a completion; a list of several was recorded as JSON."""
    if case.input_type != "list":
        return text
    try:
        prompts = json.loads(text)
    except ValueError:
        return [text]
    return prompts if isinstance(prompts, list) else [text]


def _set_input(
    arguments: dict[str, Any],
    case: Case,
    chat: list[Any],
    template: list[Any],
    source: list[Any],
    is_literal: bool,
) -> list[Any]:
    """Set the arguments of the Responses API; return the template of its input."""
    if case.has_instructions and template and _role(template[0]) == "system":
        first, *chat = chat
        content = first["content"]
        if not is_literal and isinstance(content, str):
            content = TemplateText(source[0]["content"], case.params)
            content.template = template[0]["content"]
        arguments["instructions"] = content
        template = template[1:]
    is_text = case.input_type in ("text", None) and len(chat) == 1
    if is_text and chat[0].keys() == {"role", "content"} and _role(chat[0]) == "user":
        arguments["input"] = chat[0]["content"]
    elif chat or case.input_type != "none":
        arguments["input"] = chat
    return template


def _arguments(case: Case, change: Change) -> dict[str, Any]:
    """Return the arguments of a request, less its input."""
    arguments = dict(case.model_parameters)
    if case.model is not None:
        arguments["model"] = case.model
    if case.tools is not None:
        arguments["tools"] = [_tool(tool, case.endpoint) for tool in case.tools]
    _restore_format(arguments, case.endpoint)
    if change.model is not None:
        arguments["model"] = change.model
    arguments |= change.parameters
    for name in (*change.remove, "background"):
        arguments.pop(name, None)  # Of a call in the background there is no answer yet.
    known = argument_names(case.endpoint)
    extra = {name: value for name, value in arguments.items() if name not in known}
    if extra:
        # What the installed openai has no argument for goes into the body as it is.
        arguments = {name: value for name, value in arguments.items() if name in known}
        arguments["extra_body"] = {**extra, **(arguments.get("extra_body") or {})}
    return arguments


#: For each endpoint the module of its resource, also its path from a client, and class.
RESOURCES = {
    "chat": ("chat.completions", "Completions"),
    "completion": ("completions", "Completions"),
    "responses": ("responses", "Responses"),
}


@cache
def argument_names(endpoint: str) -> frozenset[str]:
    """Return the names of the arguments that ``create()`` takes.

    Raises:
        ValueError: The installed openai has no such endpoint.
    """
    module, owner = RESOURCES[endpoint]
    try:
        resource = importlib.import_module(f"openai.resources.{module}")
    except ModuleNotFoundError:
        raise ValueError(
            f"the installed openai has no {endpoint} endpoint: upgrade it to replay "
            "these cases"
        ) from None
    create = inspect.unwrap(getattr(resource, owner).create)
    return frozenset(inspect.signature(create).parameters) - {"self"}


def _tool(tool: Any, endpoint: str) -> Any:
    """Return a tool as it was sent: ``parse()`` takes one of the chat's form."""
    if endpoint == "responses" and isinstance(tool, dict):
        function = tool.get("function")
        if isinstance(function, dict):
            return {"type": "function", **function}
    return tool


def _restore_format(arguments: dict[str, Any], endpoint: str) -> None:
    """Put the schema of a class given to ``parse()`` where openai had put it."""
    name = "text_format" if endpoint == "responses" else "response_format"
    recorded = arguments.get(name)
    if isinstance(recorded, dict) and recorded.keys() == {"name", "schema"}:
        arguments[name] = wanted = _strict_format(recorded)
        # What `parse()` says of its own accord.
        arguments |= {"stream": False} if endpoint == "chat" else {}
    elif isinstance(recorded, str):
        raise ObstacleError(f"the schema of the class {recorded} was not recorded")
    else:
        return
    if endpoint == "responses":
        del arguments[name]
        form = {"type": "json_schema", **wanted["json_schema"]}
        arguments["text"] = {**(arguments.get("text") or {}), "format": form}


def _strict_format(recorded: dict[str, Any]) -> dict[str, Any]:
    from openai.lib import _pydantic

    schema = json.loads(json.dumps(recorded["schema"]))
    strict = _pydantic._ensure_strict_json_schema(schema, path=(), root=schema)
    described = {"schema": strict, "name": recorded["name"], "strict": True}
    return {"type": "json_schema", "json_schema": described}


def choose_replayable(
    cases: Sequence[Case], change: Change
) -> tuple[list[Case], list[tuple[Case, str]]]:
    """Return the cases that can be replayed, and the others with the reason.

    Raises:
        ReplayError: The change can't be made to a case; the message names it.
    """
    chosen: list[Case] = []
    skipped: list[tuple[Case, str]] = []
    failed: list[tuple[Case, TemplateError]] = []
    for case in cases:
        try:
            if case.obstacle is not None:
                raise ObstacleError(case.obstacle)
            _check_parameters(case, change)
            build_request(case, change)
            chosen.append(case)
        except TemplateError as exc:
            failed.append((case, exc))
        except ObstacleError as exc:
            skipped.append((case, str(exc)))
        except ReplayError as exc:
            raise ReplayError(f"Case {case.id}: {exc}.") from None
    if failed:
        raise ReplayError(_describe_failures(failed))
    names = sorted({case.prompt or "(unnamed)" for case in chosen})
    if change.template is not None and len(names) > 1:
        raise ReplayError(
            f"One template can't take the place of {len(names)} prompts' "
            f"({', '.join(names[:5])}): choose the cases of one prompt."
        )
    for name in change.remove:
        if chosen and not any(name in case.model_parameters for case in chosen):
            raise ReplayError(f"No case has the parameter {name!r} to leave out.")
    return chosen, skipped


def _check_parameters(case: Case, change: Change) -> None:
    for name in change.parameters:
        if name not in argument_names(case.endpoint) or name in _INPUTS:
            raise ReplayError(
                f"its request has no parameter {name!r} to set; what openai has no "
                "argument for goes into extra_body"
            )


#: Arguments that a template sets, that are ours, or that keep the answer from us.
_INPUTS = frozenset(
    ("messages", "prompt", "input", "instructions", "libretto", "background")
)


def _describe_failures(failed: Sequence[tuple[Case, TemplateError]]) -> str:
    """Return which case a template fails with first, and how many others."""
    (case, exc), *others = failed
    also = f" (and {len(others)} more)" if others else ""
    if exc.variable is not None and exc.variable not in case.params:
        lacks = f"needs the parameter {exc.variable!r}, which case {case.id} lacks"
        has = ", ".join(sorted(case.params)) or "no parameters"
        return f"The new template {lacks}{also}. It has {has}."
    return f"The new template fails with case {case.id}{also}: {exc}"
