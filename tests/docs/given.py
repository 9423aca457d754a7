"""Names that the pages use without saying where they come from.

What a page's reader has: a client, a question, a framework that calls the model.
"""

from types import SimpleNamespace

import openai

import libretto_instrument as libretto

__all__ = [
    "async_client",
    "client",
    "framework",
    "greet",
    "messages",
    "question",
    "session",
    "think",
    "user_id",
    "write",
]

session = "session-1"
user_id = "user-1"
question = "Why does a kettle whistle?"
messages = [{"role": "user", "content": question}]

client = openai.OpenAI(max_retries=0)
async_client = openai.AsyncOpenAI(max_retries=0)


def think(about: str) -> str:
    """Ask the model for a plan."""
    return _ask([{"role": "user", "content": f"Make a plan: {about}"}])


def write(plan: str) -> str:
    """Ask the model to carry a plan out."""
    return _ask([{"role": "user", "content": f"Write it: {plan}"}])


def greet(name: str) -> str:
    """Ask the model for a greeting, by a template."""
    template = [{"role": "user", "content": "Say hello to {name}."}]
    return _ask(libretto.TemplateChat(template, {"name": name}))


def _ask(said: list[object]) -> str:
    completion = client.chat.completions.create(model="any", messages=said)  # type: ignore[arg-type]
    return completion.choices[0].message.content or ""


#: Code between the user and openai that the user does not own.
framework = SimpleNamespace(run=think)
