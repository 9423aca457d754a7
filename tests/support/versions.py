"""Marks for tests about what only newer versions of openai have."""

import importlib.util

import openai
import pytest

#: (major, minor) of the openai that is installed.
OPENAI = tuple(int(part) for part in openai.VERSION.split(".")[:2])

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
