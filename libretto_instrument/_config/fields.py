"""The table of settings: what each is called, and what may be given for it where.

`LibrettoConfig`, `LibrettoCreateParams`, the environment, the options of ``run``,
``doctor`` and the tables of the documentation (``tools/build_settings.py``) all follow
this table.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from . import checks
from .checks import CALLER, Check

#: The settings that one place gives, by name. A setting that is None is not given.
Overrides = dict[str, Any]

_BOOLEANS = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def _parse_bool(value: str) -> bool:
    if value.lower() not in _BOOLEANS:
        raise ValueError(f"must be 1 or 0 (or true, false), not {value!r}.")
    return _BOOLEANS[value.lower()]


def _parse_bool_or_caller(value: str) -> Any:
    return CALLER if value.lower() == CALLER else _parse_bool(value)


def _parse_fraction(value: str) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"must be between 0 and 1, not {value!r}.")
    return number


class Field(NamedTuple):
    """One setting.

    Attributes:
        check: Returns the value to keep, or raises `TypeError` or `ValueError`.
        summary: What it is, in a few words, for ``--help`` and the documentation.
        call: May be set by a call's ``libretto=``.
        scope: May be set by `scope()`.
        client: May be set by `install()` and on a client.
        default: The value where it is not set.
        variable: The environment variable that sets it.
        parse: Turns the variable's text into a value.
        option: The option of the ``run`` command that sets it.
        metavar: What the option's value is called in ``--help``; None for a switch.
        is_merged: Given in several places, it is merged key by key.
        is_delivery: Concerns delivery alone; calls that agree in all of these share
            one delivery.
        is_secret: Never shown.
    """

    check: Check
    summary: str
    call: bool = False
    scope: bool = True
    client: bool = True
    default: Any = None
    variable: str | None = None
    parse: Callable[[str], Any] = str
    option: str | None = None
    metavar: str | None = None
    is_merged: bool = False
    is_delivery: bool = False
    is_secret: bool = False


def _call_only(check: Check, summary: str, **more: Any) -> Field:
    return Field(check, summary, call=True, client=False, **more)


def _delivery(check: Check, summary: str, default: Any, **more: Any) -> Field:
    return Field(check, summary, default=default, is_delivery=True, **more)


FIELDS: dict[str, Field] = {
    "api_key": Field(
        checks.secret,
        "the project's key",
        call=True,
        variable="LIBRETTO_API_KEY",
        is_secret=True,
    ),
    "project_key": Field(
        checks.secret,
        "the legacy project key",
        call=True,
        variable="LIBRETTO_PROJECT_KEY",
        is_secret=True,
    ),
    "prompt_template_name": Field(
        checks.text,
        "the template name of calls that set none",
        call=True,
        variable="LIBRETTO_TEMPLATE_NAME",
        option="--template-name",
        metavar="NAME",
    ),
    "chat_id": Field(
        checks.identifier,
        "the chat session of calls that set none",
        call=True,
        variable="LIBRETTO_CHAT_ID",
        option="--chat-id",
        metavar="ID",
    ),
    "context": Field(
        checks.mapping,
        "keys and values of your own, sent with each event",
        call=True,
        is_merged=True,
    ),
    "chain_id": _call_only(checks.identifier, "the chain that calls belong to"),
    "feedback_key": _call_only(checks.identifier, "what later feedback refers to"),
    "template_chat": _call_only(checks.messages, "the template of a chat"),
    "template_text": _call_only(checks.text, "the template of a completion's prompt"),
    "template_params": _call_only(
        checks.mapping, "the template's parameters", is_merged=True
    ),
    "api_name": _call_only(checks.text, "the legacy template name"),
    "parent_event_id": _call_only(checks.identifier, "the deprecated name of chain_id"),
    "event_id": _call_only(checks.identifier, "the event's UUID", scope=False),
    "enabled": Field(
        checks.flag,
        "False records nothing",
        default=True,
        variable="LIBRETTO_ENABLED",
        parse=_parse_bool,
    ),
    "sample_rate": Field(
        checks.fraction,
        "the fraction of calls to record, from 0 to 1",
        default=1.0,
        variable="LIBRETTO_SAMPLE_RATE",
        parse=_parse_fraction,
        option="--sample-rate",
        metavar="FRACTION",
    ),
    "allow_unnamed_prompts": Field(
        checks.flag_or_caller,
        "record calls without a template name, too",
        default=False,
        variable="LIBRETTO_ALLOW_UNNAMED_PROMPTS",
        parse=_parse_bool_or_caller,
        option="--allow-unnamed",
    ),
    "model_provider": Field(
        checks.text, "whose models they are, where the base URL does not say it"
    ),
    "templates": Field(
        checks.templates,
        "templates to recognise in rendered prompts: a dict, or the name of a folder, "
        "a JSON file or a module",
        variable="LIBRETTO_TEMPLATES",
    ),
    "redact_pii": Field(
        checks.flag,
        "replace personal data before anything leaves the machine",
        default=False,
        variable="LIBRETTO_REDACT_PII",
        parse=_parse_bool,
        option="--redact-pii",
    ),
    "redactor": Field(checks.redactor, "what redact_pii redacts with"),
    "before_send": Field(checks.hook, "changes or withholds each event"),
    "annotate_responses": Field(
        checks.flag, "put the feedback key into the response", default=True
    ),
    "max_field_bytes": Field(
        checks.count_of("bytes"),
        "longest string that an event keeps, in bytes",
        default=262_144,
    ),
    "trace_context": Field(
        checks.flag, "add OpenTelemetry's trace and span ids to context", default=True
    ),
    "spool_dir": _delivery(
        checks.directory,
        "write events to this directory before they are sent",
        None,
        variable="LIBRETTO_SPOOL_DIR",
        option="--spool",
        metavar="DIR",
    ),
    "spool_only": _delivery(
        checks.flag,
        "leave delivery to libretto-instrument relay",
        False,
        variable="LIBRETTO_SPOOL_ONLY",
        parse=_parse_bool,
        option="--spool-only",
    ),
    "spool_max_bytes": _delivery(
        checks.count_of("bytes"), "largest size of the spool, in bytes", 512 * 2**20
    ),
    "spool_max_age": _delivery(
        checks.max_age, "longest stay in the spool, in seconds", 7 * 24 * 3600.0
    ),
    "queue_max_events": _delivery(
        checks.count_of("events"), "most events that wait in memory", 10_000
    ),
    "queue_max_bytes": _delivery(
        checks.count_of("bytes"), "most bytes that they take", 64 * 2**20
    ),
    "exit_timeout": _delivery(
        checks.seconds, "longest wait at the end of the process, in seconds", 5.0
    ),
    "exporters": _delivery(checks.exporters, "other destinations beside Libretto", ()),
}

CLIENT_FIELDS = tuple(name for name, spec in FIELDS.items() if spec.client)
CALL_FIELDS = tuple(name for name, spec in FIELDS.items() if spec.call)
SCOPE_FIELDS = tuple(name for name, spec in FIELDS.items() if spec.scope)
MERGED_FIELDS = tuple(name for name, spec in FIELDS.items() if spec.is_merged)
DELIVERY_FIELDS = frozenset(name for name, spec in FIELDS.items() if spec.is_delivery)
#: The options of ``run``, by setting.
OPTIONS = {name: spec.option for name, spec in FIELDS.items() if spec.option}
