"""A WSGI application whose workers are forked after it is loaded.

To run it:

    pip install libretto-instrument gunicorn
    export OPENAI_API_KEY=… LIBRETTO_API_KEY=…
    gunicorn --preload --workers 4 gunicorn_app:application

    curl localhost:8000/Ada
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

import openai

import libretto_instrument as libretto

MODEL = os.environ.get("OPENAI_MODEL", "gpt-5.4-mini")

TEMPLATE = [{"role": "user", "content": "Greet {name} in one sentence."}]

# Both before the fork. Each worker delivers its own events, by a thread that starts
# with the first of them, and what is left when it ends. The client has no connection
# yet that the workers could share: had it made a call, each would need a client.
libretto.install(prompt_template_name="greeting")
client = openai.OpenAI()


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Greet whom the path names."""
    name = environ["PATH_INFO"].strip("/") or "world"
    with libretto.scope(context={"worker": os.getpid()}):
        completion = client.chat.completions.create(
            model=MODEL, messages=libretto.TemplateChat(TEMPLATE, {"name": name})
        )
    start_response("200 OK", [("Content-Type", "text/plain; charset=utf-8")])
    return [(completion.choices[0].message.content or "").encode()]
