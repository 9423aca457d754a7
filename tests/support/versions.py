"""What the installed openai has: marks for tests that need more than it has."""

import importlib.util
from typing import Any

import openai
import pytest

HAS_RESPONSES = importlib.util.find_spec("openai.resources.responses") is not None
HAS_DECISIONS = importlib.util.find_spec("openai.resources.decisions") is not None

needs_responses = pytest.mark.skipif(
    not HAS_RESPONSES, reason="this openai has no Responses API"
)
needs_decisions = pytest.mark.skipif(
    not HAS_DECISIONS, reason="this openai has no decisions"
)
needs_aclose = pytest.mark.skipif(
    not hasattr(openai.AsyncStream, "aclose"),
    reason="this openai's streams have no aclose()",
)
needs_parse = pytest.mark.skipif(
    not hasattr(openai.resources.chat.Completions, "parse"),
    reason="this openai has parse() in its beta only",
)


def helpers_of(client: Any) -> Any:
    """Return the resource with parse() and stream(): early versions have a beta one."""
    stable = client.chat.completions
    return stable if hasattr(stable, "parse") else client.beta.chat.completions
