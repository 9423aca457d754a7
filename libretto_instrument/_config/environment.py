"""Reads settings from environment variables."""

import ipaddress
import os
import re
from typing import Any
from urllib.parse import urlsplit

from .fields import FIELDS, Overrides

DEFAULT_API_PREFIX = "https://app.getlibretto.com/api"
API_PREFIX_ENV_VAR = "LIBRETTO_API_PREFIX"
#: For each kind of message: the variable that holds its whole URL, and its path under
#: the prefix.
ENDPOINT_ENV_VARS = {
    "event": ("LIBRETTO_REPORTING_URL", "/event"),
    "feedback": ("LIBRETTO_FEEDBACK_URL", "/feedback"),
    "chain": ("LIBRETTO_UPDATE_CHAIN_URL", "/v1/updateChain"),
}
#: The variable that sets each setting.
ENV_VARS = {name: spec.variable for name, spec in FIELDS.items() if spec.variable}

_HOST_LABEL = re.compile(r"(?!-)[\w-]{1,63}(?<!-)", re.UNICODE)


def load_environment() -> Overrides:
    """Return the settings that the environment gives; an empty variable gives none.

    Raises:
        ValueError: A variable has a value that its setting can't have; it is named.
    """
    found = {name: read_env_var(name) for name in ENV_VARS}
    return {name: value for name, value in found.items() if value is not None}


def read_env_var(name: str) -> Any:
    """Return what the environment gives for one setting, or None.

    Blanks and line breaks around the value, as a file or a form adds them, are removed.

    Raises:
        ValueError: As for `load_environment`.
    """
    variable, spec = ENV_VARS[name], FIELDS[name]
    value = os.environ.get(variable, "").strip()
    if not value:
        return None
    try:
        return spec.check(variable, spec.parse(value))
    except (ValueError, TypeError, ImportError) as exc:
        text = str(exc)
        is_named = text.startswith(variable)
        raise ValueError(text if is_named else f"{variable} {text}") from exc


def endpoint_urls() -> dict[str, str]:
    """Return the URL for each kind of message, by the environment.

    Raises:
        ValueError: A variable holds something else than an http or https URL; it is
            named, and what is wrong with it.
    """
    prefix = os.environ.get(API_PREFIX_ENV_VAR, "").strip() or DEFAULT_API_PREFIX
    urls = {}
    for kind, (variable, path) in ENDPOINT_ENV_VARS.items():
        own = os.environ.get(variable, "").strip()
        urls[kind] = own or prefix.rstrip("/") + path
        fault = find_url_fault(urls[kind])
        if fault:
            raise ValueError(
                f"{variable if own else API_PREFIX_ENV_VAR} {fault}. It must be a "
                f"complete URL, such as {DEFAULT_API_PREFIX}."
            )
    return urls


def find_url_fault(url: str) -> str | None:
    """Return why nothing can be posted to a URL, or None if it can."""
    if not url.isprintable() or " " in url:
        return "contains a blank or a control character"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "is malformed"  # The error may quote a part of a password.
    if parts.scheme not in ("http", "https"):
        return "begins with neither http:// nor https://"
    if not host:
        return "names no host"
    if port == 0:
        return "has port 0"
    if parts.fragment:
        return "has a fragment (#)"
    return None if _is_host(host) else f"names a host that can't exist ({host})"


def _is_host(host: str) -> bool:
    labels = host.removesuffix(".").split(".")
    if ":" in host or labels[-1].isdigit():
        try:
            ipaddress.ip_address(host.partition("%")[0])
        except ValueError:
            return False
        return True
    return len(host) <= 253 and all(map(_HOST_LABEL.fullmatch, labels))
