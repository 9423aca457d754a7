"""The application that gunicorn and uWSGI serve: each request is a call of the model.

It installs and makes a first call while it is loaded, which may be before the workers
are forked: the worst that an application can do. With SERVED_ALONE it makes none.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

import openai

import libretto_instrument as libretto

libretto.install(api_key="key", prompt_template_name="served")


def ask(identity: str) -> None:
    """Call the model; the event gets this id."""
    request: dict[str, Any] = {
        "model": "any",
        "messages": [{"role": "user", "content": "Hello"}],
        "libretto": {"event_id": identity},
    }
    # One made before the fork would share its connection among the workers.
    with openai.OpenAI(max_retries=0) as client:
        client.chat.completions.create(**request)


if "SERVED_ALONE" not in os.environ:
    ask("preloaded")


def application(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterable[bytes]:
    """Answer with the id of this process."""
    ask(environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]
