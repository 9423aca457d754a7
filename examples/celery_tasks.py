"""Tasks of a Celery worker with forked processes.

To run it:

    pip install libretto-instrument 'celery[redis]'
    export OPENAI_API_KEY=… LIBRETTO_API_KEY=…
    celery --app celery_tasks worker

    python -c "from celery_tasks import summarise; summarise.delay(7, 'It whistles.')"
"""

import os

import openai
from celery import Celery

import libretto_instrument as libretto

MODEL = os.environ.get("OPENAI_MODEL", "gpt-5.4-mini")

TEMPLATE = [
    {"role": "system", "content": "Summarise the customer's letter in five words."},
    {"role": "user", "content": "{letter}"},
]

app = Celery(
    "celery_tasks",
    broker=os.environ.get("CELERY_BROKER_URL", "redis://localhost"),
    backend=os.environ.get("CELERY_RESULT_BACKEND", "redis://localhost"),
)

# Before the worker forks. Each of its processes delivers its own events, also when it
# ends after --max-tasks-per-child tasks.
libretto.install()


@app.task
@libretto.scope(prompt_template_name="summary")
def summarise(ticket: int, letter: str) -> str:
    """Summarise a letter; the event names the ticket that it belongs to."""
    with openai.OpenAI() as client, libretto.scope(context={"ticket": ticket}):
        completion = client.chat.completions.create(
            model=MODEL, messages=libretto.TemplateChat(TEMPLATE, {"letter": letter})
        )
    return completion.choices[0].message.content or ""
