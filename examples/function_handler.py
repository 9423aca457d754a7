"""A function as a service, such as AWS Lambda runs them.

Between invocations such a process stands still, its background threads too, and it may
never go on: a handler delivers what it recorded before it returns.

To run it:

    pip install libretto-instrument
    export OPENAI_API_KEY=… LIBRETTO_API_KEY=…
    python function_handler.py "It whistles, and I want my money back."
"""

import os
import sys
from typing import Any

import openai

import libretto_instrument as libretto

MODEL = os.environ.get("OPENAI_MODEL", "gpt-5.4-mini")

TEMPLATE = [
    {"role": "system", "content": "Say in one word how the customer feels."},
    {"role": "user", "content": "{letter}"},
]

# Once in the life of the process, not in each invocation.
libretto.install(prompt_template_name="mood")
client = openai.OpenAI()


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Say how the writer of a letter feels."""
    request = getattr(context, "aws_request_id", None)
    try:
        with libretto.scope(context={"request": request}):
            completion = client.chat.completions.create(
                model=MODEL,
                messages=libretto.TemplateChat(TEMPLATE, {"letter": event["letter"]}),
            )
        return {"mood": completion.choices[0].message.content}
    finally:
        # Also when the call failed: its event says how. This adds at most two seconds
        # to the invocation, and only while Libretto cannot be reached.
        libretto.flush(timeout=2)


if __name__ == "__main__":
    print(handler({"letter": " ".join(sys.argv[1:]) or "It whistles."}, None)["mood"])
