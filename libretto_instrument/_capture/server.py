"""Whose API a client calls, and what its response's headers say. Runs on the worker."""

import math
from functools import lru_cache
from typing import Any

from .exchange import Exchange

#: Providers by the end of their APIs' host names.
_PROVIDERS = {
    "openai.com": "openai",
    "azure.com": "azure",
    "azure.us": "azure",
    "azure.cn": "azure",
    "azure-api.net": "azure",
    "openrouter.ai": "openrouter",
    "groq.com": "groq",
    "together.xyz": "together",
    "together.ai": "together",
    "deepseek.com": "deepseek",
    "mistral.ai": "mistral",
    "generativelanguage.googleapis.com": "gemini",
    "aiplatform.googleapis.com": "gemini",
    "x.ai": "xai",
    "anthropic.com": "anthropic",
    "fireworks.ai": "fireworks",
    "perplexity.ai": "perplexity",
    "cerebras.ai": "cerebras",
    "ollama.com": "ollama",
}
#: Servers that people run themselves, by a word of the host's name and by the port that
#: they listen on unless told otherwise.
_SELF_HOSTED = {"ollama": 11434, "vllm": 8000}
_LOCAL_HOSTS = frozenset(("localhost", "127.0.0.1", "::1", "0.0.0.0"))

_MAX_TEXT_LENGTH = 200
_RATE_LIMITS = ("requests", "tokens")


def name_provider(base_url: Any) -> str:
    """Return whose API a base URL is of; ``"openai"`` where that is not known."""
    host = str(getattr(base_url, "host", None) or "").lower().rstrip(".")
    port = getattr(base_url, "port", None)
    return _find_provider(host, port if isinstance(port, int) else None)


@lru_cache(maxsize=256)
def _find_provider(host: str, port: int | None) -> str:
    labels = host.split(".")
    for at in range(len(labels)):
        known = _PROVIDERS.get(".".join(labels[at:]))
        if known is not None:
            return known
    for name, its_port in _SELF_HOSTED.items():
        is_local = host in _LOCAL_HOSTS and port == its_port
        if is_local or any(name in label.split("-") for label in labels):
            return name
    return "openai"


def describe_exchange(exchange: Exchange) -> dict[str, Any]:
    """Return what an event's metrics say of a call's way over HTTP.

    The server's address, the request's id, how often it was sent again, and what is
    left of the rate limits, as fractions: each where it is known.
    """
    found: dict[str, Any] = {}
    host = getattr(exchange.base_url, "host", None)
    if isinstance(host, str) and host:
        found["server_address"] = host[:_MAX_TEXT_LENGTH]
        port = getattr(exchange.base_url, "port", None)
        if isinstance(port, int):
            found["server_port"] = port
    if isinstance(exchange.retries, int) and exchange.retries > 0:
        found["retries"] = exchange.retries
    headers = exchange.headers
    if hasattr(headers, "get"):
        request_id = headers.get("x-request-id")
        if isinstance(request_id, str) and request_id:
            found["request_id"] = request_id[:_MAX_TEXT_LENGTH]
        shares = {name: _remaining(headers, name) for name in _RATE_LIMITS}
        known = {name: share for name, share in shares.items() if share is not None}
        if known:
            found["rate_limit_remaining"] = known
    return found


def _remaining(headers: Any, name: str) -> float | None:
    """Return what is left of a rate limit, from 0 to 1, if the headers say it."""
    try:
        limit = float(headers.get(f"x-ratelimit-limit-{name}"))
        remaining = float(headers.get(f"x-ratelimit-remaining-{name}"))
    except (TypeError, ValueError):
        return None
    if not (math.isfinite(limit) and math.isfinite(remaining) and limit > 0):
        return None
    return round(min(max(remaining / limit, 0.0), 1.0), 4)
