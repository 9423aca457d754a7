"""The settings of one call, merged from every layer that gives some.

Most specific first: the call's ``libretto=``, the innermost scope, outer scopes, the
client, `install()`, the environment.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

from attrs import field, frozen

from .config import BeforeSend
from .fields import DELIVERY_FIELDS, FIELDS, MERGED_FIELDS, Overrides

if TYPE_CHECKING:
    from .._recognition.known import KnownTemplates


def _default(name: str) -> Any:
    return FIELDS[name].default


def _by_identity(objects: tuple[Any, ...]) -> tuple[int, ...]:
    return tuple(map(id, objects))


@frozen(cache_hash=True)
class DeliveryOptions:
    """The settings that concern delivery alone; see `LibrettoConfig`.

    Calls with equal options share one delivery.
    """

    spool_dir: str | None = None
    spool_only: bool = _default("spool_only")
    spool_max_bytes: int = _default("spool_max_bytes")
    spool_max_age: float = _default("spool_max_age")
    queue_max_events: int = _default("queue_max_events")
    queue_max_bytes: int = _default("queue_max_bytes")
    exit_timeout: float = _default("exit_timeout")
    # The user's objects need not be hashable.
    exporters: tuple[Any, ...] = field(default=(), eq=_by_identity)


@frozen(eq=False, repr=False)
class CallSettings:
    """The settings of one call; see `LibrettoConfig` and `LibrettoCreateParams`.

    It has no repr, like everything that holds keys or prompts: tools that show the
    local variables of a traceback would publish them.

    Attributes:
        delivery: The settings that concern delivery alone.
        has_own_name: Whether the name is a call's or a scope's, not a default.
        has_own_template: Whether the template is the call's, not a scope's.
        has_template_data: Whether a template, parameters or context were given beside
            the call's arguments.
    """

    api_key: str | None = None
    project_key: str | None = None
    prompt_template_name: str | None = None
    api_name: str | None = None
    chat_id: str | None = None
    chain_id: str | None = None
    event_id: str | None = None
    feedback_key: str | None = None
    template_text: str | None = None
    template_chat: list[Any] | None = None
    template_params: dict[str, Any] | None = None
    context: dict[str, Any] | None = None
    allow_unnamed_prompts: 'bool | Literal["caller"]' = False
    redact_pii: bool = _default("redact_pii")
    enabled: bool = _default("enabled")
    sample_rate: float = _default("sample_rate")
    before_send: BeforeSend | None = None
    annotate_responses: bool = _default("annotate_responses")
    redactor: Any = None
    max_field_bytes: int = _default("max_field_bytes")
    trace_context: bool = _default("trace_context")
    templates: "KnownTemplates | None" = None
    model_provider: str | None = None
    delivery: DeliveryOptions = DeliveryOptions()
    has_own_name: bool = False
    has_own_template: bool = False
    has_template_data: bool = field(init=False)

    @has_template_data.default
    def _has_template_data(self) -> bool:
        return bool(self.template_params or self.context) or self.has_template

    @property
    def template_name(self) -> str | None:
        """The prompt template's name; the legacy name is the last resort."""
        return self.prompt_template_name or self.api_name

    @property
    def has_template(self) -> bool:
        """Whether a template was given beside the call's arguments."""
        return self.template_chat is not None or self.template_text is not None

    @property
    def has_name(self) -> bool:
        """Whether the prompt has a name, may go without, or may be recognised."""
        return (
            self.template_name is not None
            or bool(self.allow_unnamed_prompts)
            or bool(self.templates)
        )

    @property
    def has_api_key(self) -> bool:
        """Whether there is a key, without which Libretto takes nothing."""
        return bool(self.api_key or self.project_key)


def merge_layers(*layers: Mapping[str, Any]) -> Overrides:
    """Merge layers of settings, the least specific first.

    ``context`` and ``template_params`` are merged key by key.
    """
    merged: Overrides = {}
    for layer in layers:
        if not layer:
            continue
        for name in MERGED_FIELDS:
            if name in layer and name in merged:
                layer = {**layer, name: {**merged[name], **layer[name]}}
        merged.update(layer)
    return merged


def split_delivery_options(merged: Overrides) -> Overrides:
    """Return merged settings with those of delivery as one ``delivery``."""
    options = {name: merged[name] for name in DELIVERY_FIELDS if name in merged}
    rest = {name: value for name, value in merged.items() if name not in options}
    return {**rest, "delivery": DeliveryOptions(**options)}
