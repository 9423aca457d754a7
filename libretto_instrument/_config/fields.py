"""What can be set, and where.

Every place is reduced to a plain dict of the fields it gives; a field that is None was
not given. `_settings` lays these over each other.
"""

import math
import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict
from uuid import UUID

import attrs
from attrs import field, frozen

if TYPE_CHECKING:
    from .._recognition.known import KnownTemplates, Source
    from ..exporters import Exporter

BeforeSend = Callable[[dict[str, Any]], "dict[str, Any] | None"]

#: The fields one place sets, by name.
Given = dict[str, Any]

_CLIENT_ATTRIBUTE = "_libretto_config"


def _require(
    kind: type | tuple[type, ...], name: str, value: object, wanted: str
) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {wanted}, not {type(value).__name__}.")


def _check(name: str, value: Any) -> None:
    """Refuse a value that its field cannot have."""
    if name in _FLAGS:
        _require(bool, name, value, "True or False")
    elif name in MAPPINGS:
        _require(Mapping, name, value, "a mapping")
    elif name == "template_chat":
        _require((list, tuple), name, value, "a list of messages")
    elif name == "before_send":
        if not callable(value):
            raise TypeError("before_send must be callable: event dict → dict or None.")
    elif name == "redactor":
        methods = (getattr(value, name, None) for name in ("redact", "analyze"))
        if not all(map(callable, methods)):
            raise TypeError(
                "redactor must have the methods redact(text) and analyze(text)."
            )
    elif name == "sample_rate":
        _require((int, float), name, value, "a number")
        if not 0 <= value <= 1:
            raise ValueError(f"sample_rate must be between 0 and 1, not {value}.")
    elif name in _COUNTS:
        _require(int, name, value, _COUNTS[name])
        if value < 1:
            raise ValueError(f"{name} must be at least 1, not {value}.")
    elif name in _SECONDS:
        _require((int, float), name, value, "a number of seconds")
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and not negative, not {value}.")
        if name == "spool_max_age" and not value:
            raise ValueError("spool_max_age must be above 0, or nothing is kept.")
    elif name == "exporters":
        from ..exporters._check import check_exporters

        _require(tuple, name, value, "a list of exporters")
        check_exporters(value)
    elif name == "spool_dir":
        _require((str, os.PathLike), name, value, "a path")
    elif name == "allow_unnamed_prompts":
        if value != CALLER:
            _require(bool, name, value, f"True, False or {CALLER!r}")
    elif name != "templates":  # Its converter looks at it.
        _require(str, name, value, "a string")


def _as_tuple(value: Any) -> Any:
    """Return a list as it is now; what is none is refused by its type."""
    return tuple(value) if isinstance(value, list) else value


def _load_templates(source: "Source | None") -> "KnownTemplates | None":
    if source is None:
        return None
    from .._recognition.known import load_templates

    return load_templates(source)


#: Unnamed prompts are named by the function that calls the model.
CALLER = "caller"
_FLAGS = {
    "redact_pii",
    "enabled",
    "annotate_responses",
    "spool_only",
    "trace_context",
}
_COUNTS = {
    "max_field_bytes": "a number of bytes",
    "queue_max_events": "a number of events",
    "queue_max_bytes": "a number of bytes",
    "spool_max_bytes": "a number of bytes",
}
_SECONDS = {"spool_max_age", "spool_busy_timeout", "exit_timeout"}
#: Merged key by key.
MAPPINGS = {"context", "template_params"}


def id_text(value: str | UUID | None) -> str | None:
    """Return an id as text; the contract lets callers give a UUID."""
    return str(value) if isinstance(value, UUID) else value


@frozen
class LibrettoConfig:
    """Settings of a client, or of every client when given to `install()`.

    A field left out is looked for in the next place: the scope, then the client, then
    what `install()` was given, then the environment.

    Attributes:
        api_key: The project's key (``LIBRETTO_API_KEY``).
        prompt_template_name: The name for calls that do not say their own
            (``LIBRETTO_TEMPLATE_NAME``).
        chat_id: Groups events into one chat session (``LIBRETTO_CHAT_ID``).
        allow_unnamed_prompts: Record calls without a template name, too; the server
            names them (``LIBRETTO_ALLOW_UNNAMED_PROMPTS``). With ``"caller"`` they are
            named by the function of yours that calls the model. Off unless set.
        redact_pii: Replace personal data before anything leaves the machine
            (``LIBRETTO_REDACT_PII``). Off unless set.
        project_key: Legacy project key (``LIBRETTO_PROJECT_KEY``).
        context: Keys and values of your own, sent with each event.
        enabled: False records nothing (``LIBRETTO_ENABLED``). On unless set.
        sample_rate: The share of calls to record, from 0 to 1
            (``LIBRETTO_SAMPLE_RATE``). Calls of one chain, or of one chat, are kept
            or left out together.
        before_send: Called in the background with each finished event's body; returns
            the body to send, or None to send nothing. If it raises, nothing is sent.
        redactor: What ``redact_pii`` redacts with, an object with ``redact(text)`` and
            ``analyze(text)``; the built-in engine (extra ``pii``) if left out.
        annotate_responses: Put the feedback key into
            ``response.model_extra["libretto_feedback_key"]``. On unless set.
        max_field_bytes: How much of one string an event keeps; 262,144 bytes unless
            set. Base64 images, sound and files are never kept: a marker with media
            type, size and SHA-256 stands for each.
        trace_context: Add ``trace_id`` and ``span_id`` of OpenTelemetry's current span
            to ``context``. On unless set; nothing happens where it is not in use.
        spool_dir: A directory in which events wait on disk until they are delivered,
            also when the process is killed (``LIBRETTO_SPOOL_DIR``). Several processes
            may share it.
        spool_only: Only write to the spool; a process of ``libretto-instrument relay``
            delivers (``LIBRETTO_SPOOL_ONLY``). Off unless set.
        spool_max_bytes: How much the spool may hold; 512 MiB unless set.
        spool_max_age: For how many seconds it keeps an event; 7 days unless set.
        spool_busy_timeout: For how many seconds a call may wait for other writers
            before its event stays in memory; 0.05 unless set.
        queue_max_events: How many events may wait in memory; 10,000 unless set.
        queue_max_bytes: How many bytes they may take; 64 MiB unless set.
        exit_timeout: For how many seconds the process waits at its end for what is not
            delivered yet; 5 unless set.
        exporters: Other places for what is recorded, beside Libretto; see
            `libretto_instrument.exporters`. Each has a queue of its own, of the bounds
            above, and figures of its own in `stats()`. Without an API key what is
            recorded goes to them alone. Those of the most specific place count, so an
            empty list ends them for a scope. With ``spool_only`` a relay delivers to
            those of its own exporters that have these names, or, if none is given
            here, to all that it has.
        templates: Templates by name, texts or lists of messages; or a module that has
            them, its name, the path of a folder of files, or of a JSON file
            (``LIBRETTO_TEMPLATES``). A prompt that one of them renders to is recorded
            as that template, with its parameters and name. Those of the most specific
            place count.

    Raises:
        TypeError: A field has the wrong type.
        ValueError: ``sample_rate`` is outside [0, 1], a bound allows nothing, a number
            of seconds is not finite, two exporters have one name or one has none, or
            there are no templates where ``templates`` says.
        ImportError: There is no such module of templates.
    """

    api_key: str | None = field(default=None, repr=False)
    prompt_template_name: str | None = None
    chat_id: str | None = field(default=None, converter=id_text)
    allow_unnamed_prompts: 'bool | Literal["caller"] | None' = None
    redact_pii: bool | None = None
    project_key: str | None = field(default=None, repr=False, kw_only=True)
    context: Mapping[str, Any] | None = field(default=None, repr=False, kw_only=True)
    enabled: bool | None = field(default=None, kw_only=True)
    sample_rate: float | None = field(default=None, kw_only=True)
    before_send: BeforeSend | None = field(default=None, kw_only=True)
    annotate_responses: bool | None = field(default=None, kw_only=True)
    redactor: Any = field(default=None, kw_only=True)
    max_field_bytes: int | None = field(default=None, kw_only=True)
    trace_context: bool | None = field(default=None, kw_only=True)
    spool_dir: "str | os.PathLike[str] | None" = field(default=None, kw_only=True)
    spool_only: bool | None = field(default=None, kw_only=True)
    spool_max_bytes: int | None = field(default=None, kw_only=True)
    spool_max_age: float | None = field(default=None, kw_only=True)
    spool_busy_timeout: float | None = field(default=None, kw_only=True)
    queue_max_events: int | None = field(default=None, kw_only=True)
    queue_max_bytes: int | None = field(default=None, kw_only=True)
    exit_timeout: float | None = field(default=None, kw_only=True)
    exporters: "Sequence[Exporter] | None" = field(
        default=None, repr=False, converter=_as_tuple, kw_only=True
    )
    templates: "KnownTemplates | None" = field(
        default=None, repr=False, converter=_load_templates, kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        _check_fields(self, _CONFIG_NAMES)

    def given(self) -> Given:
        """Return the fields that were set."""
        return _set_fields(self, _CONFIG_NAMES)


@frozen
class LibrettoCreateParams:
    """Settings of one call: the value of its ``libretto=`` argument.

    A mapping of the same fields does as well.

    Attributes:
        project_key: Legacy project key.
        api_key: The project's key.
        prompt_template_name: The name of the prompt template.
        api_name: Legacy name of the prompt template; counts where no other name does.
        event_id: UUID of the event; a fresh one if left out.
        template_text: The template of a completion's prompt.
        template_chat: The template messages of a chat.
        template_params: The template's parameters.
        chat_id: Groups events into one chat session.
        chain_id: UUID that groups the calls of one workflow.
        feedback_key: What later feedback refers to; a fresh UUID if left out.
        parent_event_id: Deprecated name of ``chain_id``.
        context: Keys and values of your own, laid over those of outer places.

    Raises:
        TypeError: A field has the wrong type, or there is no such field.
    """

    project_key: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    prompt_template_name: str | None = None
    api_name: str | None = None
    event_id: str | None = field(default=None, converter=id_text)
    template_text: str | None = field(default=None, repr=False)
    template_chat: list[Any] | None = field(default=None, repr=False)
    template_params: Mapping[str, Any] | None = field(default=None, repr=False)
    chat_id: str | None = field(default=None, converter=id_text)
    chain_id: str | None = field(default=None, converter=id_text)
    feedback_key: str | None = field(default=None, converter=id_text)
    parent_event_id: str | None = field(default=None, converter=id_text)
    context: Mapping[str, Any] | None = field(default=None, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_fields(self, _CALL_NAMES)

    def given(self) -> Given:
        """Return the fields that were set, ``parent_event_id`` under its new name."""
        given = _set_fields(self, _CALL_NAMES)
        parent = given.pop("parent_event_id", None)
        if parent is not None:
            given.setdefault("chain_id", parent)
        return given


class ConfigFields(TypedDict, total=False):
    """The fields of `LibrettoConfig`, for the signature of `install()`."""

    api_key: str | None
    prompt_template_name: str | None
    chat_id: str | UUID | None
    allow_unnamed_prompts: Literal["caller"] | bool | None
    redact_pii: bool | None
    project_key: str | None
    context: Mapping[str, Any] | None
    enabled: bool | None
    sample_rate: float | None
    before_send: BeforeSend | None
    annotate_responses: bool | None
    redactor: Any
    max_field_bytes: int | None
    trace_context: bool | None
    spool_dir: "str | os.PathLike[str] | None"
    spool_only: bool | None
    spool_max_bytes: int | None
    spool_max_age: float | None
    spool_busy_timeout: float | None
    queue_max_events: int | None
    queue_max_bytes: int | None
    exit_timeout: float | None
    exporters: "Sequence[Exporter] | None"
    templates: "Source | None"


class _CallAndScopeFields(TypedDict, total=False):
    """What calls and scopes may set, and clients may not."""

    api_name: str | None
    template_text: str | None
    template_chat: list[Any] | None
    template_params: Mapping[str, Any] | None
    chain_id: str | UUID | None
    feedback_key: str | UUID | None
    parent_event_id: str | UUID | None


class ScopeFields(ConfigFields, _CallAndScopeFields, total=False):
    """What a `scope()` may set: all of a client's fields and a call's but its id."""


class CallFields(_CallAndScopeFields, total=False):
    """The fields of `LibrettoCreateParams`, for a mapping given as ``libretto=``."""

    project_key: str | None
    api_key: str | None
    prompt_template_name: str | None
    event_id: str | UUID | None
    chat_id: str | UUID | None
    context: Mapping[str, Any] | None


_CONFIG_NAMES = tuple(attribute.name for attribute in attrs.fields(LibrettoConfig))
_CALL_NAMES = tuple(attribute.name for attribute in attrs.fields(LibrettoCreateParams))
_SCOPE_NAMES = frozenset((*_CONFIG_NAMES, *_CALL_NAMES)) - {"event_id"}


def _set_fields(instance: object, names: tuple[str, ...]) -> Given:
    return {
        name: value for name in names if (value := getattr(instance, name)) is not None
    }


def _check_fields(instance: object, names: tuple[str, ...]) -> None:
    # Not by a validator each, which attrs would write code for at every start.
    for name, value in _set_fields(instance, names).items():
        _check(name, value)


def call_given(libretto: "LibrettoCreateParams | Mapping[str, Any]") -> Given:
    """Return what a call's ``libretto=`` argument sets.

    Raises:
        TypeError: It is neither `LibrettoCreateParams` nor a mapping of its fields.
    """
    if not isinstance(libretto, LibrettoCreateParams):
        if not isinstance(libretto, Mapping):
            raise TypeError(
                "libretto= takes a LibrettoCreateParams or a mapping of its fields, "
                f"not {type(libretto).__name__}."
            )
        refuse_unknown(libretto, _CALL_NAMES, "libretto=")
        libretto = LibrettoCreateParams(**libretto)
    given = libretto.given()
    if "template_chat" in given or "template_text" in given:
        # Also where a scope carries it, from a helper to the call that it makes.
        given["has_own_template"] = True
    return given


def scope_given(fields: Mapping[str, Any]) -> Given:
    """Return what a scope sets.

    Raises:
        TypeError: There is no such field, or it has the wrong type.
    """
    refuse_unknown(fields, _SCOPE_NAMES, "scope()")
    config = {name: fields[name] for name in fields if name in _CONFIG_NAMES}
    call = {name: fields[name] for name in fields if name not in _CONFIG_NAMES}
    return {
        **LibrettoConfig(**config).given(),
        **LibrettoCreateParams(**call).given(),
    }


def has_name(given: Given) -> bool:
    """Return whether a place gives a prompt's name."""
    return "prompt_template_name" in given or "api_name" in given


def config_of(
    config: LibrettoConfig | None, fields: Mapping[str, Any]
) -> LibrettoConfig:
    """Return ``config`` with ``fields`` laid over it.

    Raises:
        TypeError: There is no such field, or it has the wrong type.
    """
    if config is not None and not isinstance(config, LibrettoConfig):
        raise TypeError(
            f"The configuration must be a LibrettoConfig, not {type(config).__name__}."
        )
    if config is not None and not fields:
        return config
    refuse_unknown(fields, _CONFIG_NAMES, "LibrettoConfig")
    return attrs.evolve(config or LibrettoConfig(), **fields)


def attach_config(client: Any, config: LibrettoConfig) -> None:
    """Let a configuration hold for a client's calls."""
    setattr(client, _CLIENT_ATTRIBUTE, config)


def config_of_client(client: Any) -> LibrettoConfig | None:
    """Return the configuration that was attached to a client, or None."""
    config = getattr(client, _CLIENT_ATTRIBUTE, None)
    return config if isinstance(config, LibrettoConfig) else None


def refuse_unknown(
    fields: Mapping[str, Any], known: "tuple[str, ...] | frozenset[str]", where: str
) -> None:
    """Raise a `TypeError` that names the nearest field, if one is unknown."""
    for name in fields:
        if name not in known:
            import difflib  # Not above: who makes no mistake need not wait for it.

            near = difflib.get_close_matches(str(name), known, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise TypeError(f"{where} has no field {name!r}.{hint}")
