"""The application whose tasks a Celery worker does: each is a call of the model."""

import os
from pathlib import Path
from typing import Any

import openai
from celery import Celery

import libretto_instrument as libretto

_FOLDER = Path(os.environ["CELERY_FOLDER"])

app = Celery("worked_app", broker="filesystem://", backend=f"file://{_FOLDER}/results")
app.conf.broker_transport_options = {
    "data_folder_in": f"{_FOLDER}/queue",
    "data_folder_out": f"{_FOLDER}/queue",
    "control_folder": f"{_FOLDER}/control",
}

# Before the worker forks, as most applications do.
libretto.install(api_key="key", prompt_template_name="worked")


@app.task  # type: ignore[untyped-decorator]  # celery has no types
def ask(identity: str) -> int:
    """Call the model; the event gets this id. Return the id of this process."""
    request: dict[str, Any] = {
        "model": "any",
        "messages": [{"role": "user", "content": "Hello"}],
        "libretto": {"event_id": identity},
    }
    with openai.OpenAI(max_retries=0) as client:
        client.chat.completions.create(**request)
    return os.getpid()
