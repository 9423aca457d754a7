"""The settings of a client or call: `LibrettoConfig`, `LibrettoCreateParams`."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypedDict
from uuid import UUID

import attrs
from attrs import field, frozen

from .checks import id_to_str, reject_unknown_fields
from .fields import CALL_FIELDS, CLIENT_FIELDS, FIELDS, SCOPE_FIELDS, Overrides

if TYPE_CHECKING:
    from .._recognition.known import KnownTemplates, Source
    from ..exporters import Exporter

BeforeSend = Callable[[dict[str, Any]], "dict[str, Any] | None"]

#: The attribute of a client that holds its configuration.
CLIENT_CONFIG_ATTR = "_libretto_config"


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
        model_provider: Whose models are called, as events and spans say it. Left out,
            it is known by the base URL of well-known APIs, and ``openai`` otherwise.
        spool_dir: A directory in which events wait on disk until they are delivered,
            also when the process is killed (``LIBRETTO_SPOOL_DIR``). Several processes
            may share it.
        spool_only: Only write to the spool; a process of ``libretto-instrument relay``
            delivers (``LIBRETTO_SPOOL_ONLY``). Off unless set.
        spool_max_bytes: How much the spool may hold; 512 MiB unless set.
        spool_max_age: For how many seconds it keeps an event; 7 days unless set.
        queue_max_events: How many events may wait in memory; 10,000 unless set.
        queue_max_bytes: How many bytes they may take; 64 MiB unless set.
        exit_timeout: For how many seconds the process waits at its end for what is not
            delivered yet; 5 unless set.
        exporters: Other places for what is recorded, beside Libretto; see
            `libretto_instrument.exporters`. Each has a queue of its own, of the bounds
            above, and its own counters in `stats()`. Without an API key what is
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
    chat_id: str | None = field(default=None, converter=id_to_str)
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
    model_provider: str | None = field(default=None, kw_only=True)
    spool_dir: "str | os.PathLike[str] | None" = field(default=None, kw_only=True)
    spool_only: bool | None = field(default=None, kw_only=True)
    spool_max_bytes: int | None = field(default=None, kw_only=True)
    spool_max_age: float | None = field(default=None, kw_only=True)
    queue_max_events: int | None = field(default=None, kw_only=True)
    queue_max_bytes: int | None = field(default=None, kw_only=True)
    exit_timeout: float | None = field(default=None, kw_only=True)
    exporters: "Sequence[Exporter] | None" = field(
        default=None, repr=False, kw_only=True
    )
    templates: "Source | KnownTemplates | None" = field(
        default=None, repr=False, kw_only=True
    )

    def __attrs_post_init__(self) -> None:
        _check_fields(self, CLIENT_FIELDS)

    def set_fields(self) -> Overrides:
        """Return the fields that were given."""
        return _set_fields(self, CLIENT_FIELDS)


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
    event_id: str | None = field(default=None, converter=id_to_str)
    template_text: str | None = field(default=None, repr=False)
    template_chat: list[Any] | None = field(default=None, repr=False)
    template_params: Mapping[str, Any] | None = field(default=None, repr=False)
    chat_id: str | None = field(default=None, converter=id_to_str)
    chain_id: str | None = field(default=None, converter=id_to_str)
    feedback_key: str | None = field(default=None, converter=id_to_str)
    parent_event_id: str | None = field(default=None, converter=id_to_str)
    context: Mapping[str, Any] | None = field(default=None, repr=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        _check_fields(self, CALL_FIELDS)

    def set_fields(self) -> Overrides:
        """Return the fields that were given, ``parent_event_id`` as ``chain_id``."""
        fields = _set_fields(self, CALL_FIELDS)
        parent = fields.pop("parent_event_id", None)
        if parent is not None:
            fields.setdefault("chain_id", parent)
        return fields


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
    model_provider: str | None
    spool_dir: "str | os.PathLike[str] | None"
    spool_only: bool | None
    spool_max_bytes: int | None
    spool_max_age: float | None
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


def _set_fields(instance: object, names: tuple[str, ...]) -> Overrides:
    return {
        name: value for name in names if (value := getattr(instance, name)) is not None
    }


def _check_fields(instance: object, names: tuple[str, ...]) -> None:
    # Not by attrs' validators: it would generate code for each at every start.
    for name, value in _set_fields(instance, names).items():
        checked = FIELDS[name].check(name, value)
        if checked is not value:
            object.__setattr__(instance, name, checked)


def parse_call_params(
    libretto: "LibrettoCreateParams | Mapping[str, Any]",
) -> Overrides:
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
        reject_unknown_fields(libretto, CALL_FIELDS, "libretto=")
        libretto = LibrettoCreateParams(**libretto)
    fields = libretto.set_fields()
    if "template_chat" in fields or "template_text" in fields:
        # Marked here, as a scope may carry it from a helper to the call that it makes.
        fields["has_own_template"] = True
    return fields


def parse_scope_fields(fields: Mapping[str, Any]) -> Overrides:
    """Return what a scope sets.

    Raises:
        TypeError: There is no such field, or it has the wrong type.
        ValueError: A field has a value that is not allowed.
    """
    reject_unknown_fields(fields, SCOPE_FIELDS, "scope()")
    config = {name: fields[name] for name in fields if name in CLIENT_FIELDS}
    call = {name: fields[name] for name in fields if name not in CLIENT_FIELDS}
    return {
        **LibrettoConfig(**config).set_fields(),
        **LibrettoCreateParams(**call).set_fields(),
    }


def has_name(fields: Overrides) -> bool:
    """Return whether a layer gives a prompt's name."""
    return "prompt_template_name" in fields or "api_name" in fields


def build_config(
    config: LibrettoConfig | None, fields: Mapping[str, Any]
) -> LibrettoConfig:
    """Return ``config`` with ``fields`` in place of its own.

    Raises:
        TypeError: There is no such field, or it has the wrong type.
    """
    if config is not None and not isinstance(config, LibrettoConfig):
        raise TypeError(
            f"The configuration must be a LibrettoConfig, not {type(config).__name__}."
        )
    if config is not None and not fields:
        return config
    reject_unknown_fields(fields, CLIENT_FIELDS, "LibrettoConfig")
    return attrs.evolve(config or LibrettoConfig(), **fields)


def set_client_config(client: Any, config: LibrettoConfig) -> None:
    """Make a configuration hold for a client's calls."""
    setattr(client, CLIENT_CONFIG_ATTR, config)


def get_client_config(client: Any) -> LibrettoConfig | None:
    """Return the configuration that was set on a client, or None."""
    config = getattr(client, CLIENT_CONFIG_ATTR, None)
    return config if isinstance(config, LibrettoConfig) else None
