"""A drop-in for openai's clients that records their calls: change one import.

from libretto_openai import Client, LibrettoConfig

client = Client(libretto=LibrettoConfig(api_key="…"))
"""

from libretto_instrument import (
    LibrettoConfig,
    LibrettoCreateParams,
    TemplateChat,
    TemplateError,
    TemplateString,
    TemplateText,
)

from ._clients import AsyncAzureOpenAI, AsyncClient, AzureOpenAI, Client

#: openai's own names for the two plain clients.
OpenAI = Client
AsyncOpenAI = AsyncClient

__all__ = [
    "AsyncAzureOpenAI",
    "AsyncClient",
    "AsyncOpenAI",
    "AzureOpenAI",
    "Client",
    "LibrettoConfig",
    "LibrettoCreateParams",
    "OpenAI",
    "TemplateChat",
    "TemplateError",
    "TemplateString",
    "TemplateText",
]
