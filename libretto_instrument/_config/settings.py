"""What holds for a call: how the places where things are set are merged.

Most specific first: the call's ``libretto=`` > scopes > client > install > environment.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import attrs
from attrs import field, frozen

from .fields import CALLER, MAPPINGS, BeforeSend, Given

if TYPE_CHECKING:
    from .._recognition.known import KnownTemplates

DEFAULT_PREFIX = "https://app.getlibretto.com/api"
PREFIX_VARIABLE = "LIBRETTO_API_PREFIX"
#: Each kind of report: the variable that holds its whole address, and its path under
#: the prefix.
ENDPOINTS = {
    "event": ("LIBRETTO_REPORTING_URL", "/event"),
    "feedback": ("LIBRETTO_FEEDBACK_URL", "/feedback"),
    "chain": ("LIBRETTO_UPDATE_CHAIN_URL", "/v1/updateChain"),
}


class _Same(tuple[Any, ...]):
    """Things that are equal if they are the very same: users' may not be hashable."""

    __slots__ = ()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and list(map(id, self)) == list(map(id, other))

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(tuple(map(id, self)))


def _by_identity(things: tuple[Any, ...]) -> tuple[Any, ...]:
    # None, as a rule, and that is compared without any of our code.
    return _Same(things) if things else ()


@frozen(cache_hash=True)
class Route:
    """How reports travel: what of a configuration concerns their delivery alone.

    Equal routes share one delivery. See `LibrettoConfig` for the fields.
    """

    spool_dir: "str | os.PathLike[str] | None" = None
    spool_only: bool = False
    spool_max_bytes: int = 512 * 2**20
    spool_max_age: float = 7 * 24 * 3600.0
    spool_busy_timeout: float = 0.05
    queue_max_events: int = 10_000
    queue_max_bytes: int = 64 * 2**20
    exit_timeout: float = 5.0
    exporters: tuple[Any, ...] = field(default=(), converter=_by_identity)


@frozen(eq=False, repr=False)
class Settings:
    """What holds for one call, all places merged.

    Without a repr, as everything that meets keys or prompts: tools that show the local
    variables of a traceback would tell them.
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
    redact_pii: bool = False
    enabled: bool = True
    sample_rate: float = 1.0
    before_send: BeforeSend | None = None
    annotate_responses: bool = True
    redactor: Any = None
    max_field_bytes: int = 262_144
    trace_context: bool = True
    templates: "KnownTemplates | None" = None
    route: Route = Route()
    #: Whether the name is the call's or a scope's, not a default.
    has_own_name: bool = False
    #: Whether the template is the call's, not a scope's.
    has_own_template: bool = False
    #: Whether a template, parameters or context were given beside a call's arguments.
    adds: bool = field(init=False)

    @adds.default
    def _whether_adds(self) -> bool:
        given = self.template_params or self.context
        return bool(given) or self.has_template

    @property
    def name(self) -> str | None:
        """The prompt template's name; the legacy one is the last resort."""
        return self.prompt_template_name or self.api_name

    @property
    def has_template(self) -> bool:
        """Whether a template was given beside the call's arguments."""
        return self.template_chat is not None or self.template_text is not None

    @property
    def has_name(self) -> bool:
        """Whether Libretto would know, may choose, or may learn the template."""
        if self.name is not None or self.allow_unnamed_prompts:
            return True
        return bool(self.templates)

    @property
    def has_key(self) -> bool:
        """Whether Libretto would know whose events these are."""
        return bool(self.api_key or self.project_key)


_ROUTE_NAMES = frozenset(attribute.name for attribute in attrs.fields(Route))


def merge(*places: Mapping[str, Any]) -> Given:
    """Lay places over each other, the least specific first.

    ``context`` and ``template_params`` are merged key by key.
    """
    merged: Given = {}
    for place in places:
        if not place:
            continue
        for name in MAPPINGS:
            if name in place and name in merged:
                place = {**place, name: {**merged[name], **place[name]}}
        merged.update(place)
    return merged


def settled(given: Given) -> Given:
    """Return merged fields with those that concern the delivery alone as one route."""
    route = {name: given[name] for name in _ROUTE_NAMES if name in given}
    rest = {name: value for name, value in given.items() if name not in _ROUTE_NAMES}
    return {**rest, "route": Route(**route)}


#: The variable that sets each field.
VARIABLES = {
    "api_key": "LIBRETTO_API_KEY",
    "project_key": "LIBRETTO_PROJECT_KEY",
    "prompt_template_name": "LIBRETTO_TEMPLATE_NAME",
    "chat_id": "LIBRETTO_CHAT_ID",
    "spool_dir": "LIBRETTO_SPOOL_DIR",
    "spool_only": "LIBRETTO_SPOOL_ONLY",
    "allow_unnamed_prompts": "LIBRETTO_ALLOW_UNNAMED_PROMPTS",
    "redact_pii": "LIBRETTO_REDACT_PII",
    "enabled": "LIBRETTO_ENABLED",
    "sample_rate": "LIBRETTO_SAMPLE_RATE",
    "templates": "LIBRETTO_TEMPLATES",
}
_FLAGS = {"spool_only", "allow_unnamed_prompts", "redact_pii", "enabled"}
_WORDS = {"1": True, "true": True, "yes": True, "on": True} | {
    "0": False, "false": False, "no": False, "off": False
}  # fmt: skip


def environment() -> Given:
    """Return what the environment sets; an empty variable sets nothing.

    Raises:
        ValueError: A variable holds neither yes nor no, or no share, where it must, or
            names no templates.
    """
    found = {name: from_environment(name) for name in VARIABLES}
    return {name: value for name, value in found.items() if value is not None}


def from_environment(name: str) -> Any:
    """Return what the environment sets a field to, or None.

    Raises:
        ValueError: As for `environment`.
    """
    variable = VARIABLES[name]
    text = os.environ.get(variable)
    if not text:
        return None
    if name == "templates":
        return _load_templates(text)
    if name in _FLAGS:
        if name == "allow_unnamed_prompts" and text.strip().lower() == CALLER:
            return CALLER
        word = _WORDS.get(text.strip().lower())
        if word is None:
            raise ValueError(
                f"{variable} must be 1 or 0 (or true, false), not {text!r}."
            )
        return word
    if name == "sample_rate":
        try:
            rate = float(text)
        except ValueError:
            rate = -1.0
        if not 0 <= rate <= 1:
            raise ValueError(f"{variable} must be between 0 and 1, not {text!r}.")
        return rate
    return text


def _load_templates(text: str) -> "KnownTemplates":
    from .._recognition.known import load_templates

    try:
        return load_templates(text.strip())
    except (ImportError, TypeError, ValueError) as exc:
        raise ValueError(f"{VARIABLES['templates']} names no templates: {exc}") from exc


def endpoints() -> dict[str, str]:
    """Return the address of each kind of report, as the environment has it.

    Raises:
        ValueError: A variable holds something else than an http(s) address.
    """
    prefix = os.environ.get(PREFIX_VARIABLE) or DEFAULT_PREFIX
    prefix = prefix.rstrip("/")
    addresses = {}
    for kind, (variable, path) in ENDPOINTS.items():
        whole = os.environ.get(variable)
        addresses[kind] = whole or prefix + path
        if not _is_whole(addresses[kind]):
            at_fault = variable if whole else PREFIX_VARIABLE
            raise ValueError(
                f"{at_fault} must be a whole address, such as {DEFAULT_PREFIX}."
            )
    return addresses


def _is_whole(address: str) -> bool:
    """Say whether an address is http or https, with a host and a port that can be."""
    try:
        parts = urlsplit(address)
        # To read the port is what checks it.
        port_is_real = parts.port is None or parts.port > 0
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_real
