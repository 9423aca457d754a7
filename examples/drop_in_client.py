"""Change one import: this client's calls are recorded, and no others.

To run it:

    pip install libretto-instrument
    export OPENAI_API_KEY=… LIBRETTO_API_KEY=…
    python drop_in_client.py curling tennis
"""

import os
import sys

from libretto_instrument import feedback_key
from libretto_openai import Client, LibrettoConfig, TemplateChat

MODEL = os.environ.get("OPENAI_MODEL", "gpt-5.4-mini")

TEMPLATE = [
    {"role": "system", "content": "You answer with one emoji and nothing else."},
    {"role": "user", "content": "Which emoji stands for {sport}?"},
]


def emoji_of(client: Client, sport: str) -> str:
    """Ask for an emoji, and tell Libretto at once whether it looks like one."""
    completion = client.chat.completions.create(
        model=MODEL,
        messages=TemplateChat(TEMPLATE, {"sport": sport}),
        libretto={"context": {"letters": len(sport)}},
    )
    answer = completion.choices[0].message.content or ""
    key = feedback_key(completion)
    if key is not None:  # None when nothing is recorded, say without an API key.
        client.send_feedback(key, rating=0.0 if answer.isascii() else 1.0)
    return answer


def main(sports: list[str]) -> None:
    """Print an emoji for each sport."""
    config = LibrettoConfig(prompt_template_name="sport-emoji")
    with Client(libretto=config) as client:
        for sport in sports:
            print(f"{sport}: {emoji_of(client, sport)}")


if __name__ == "__main__":
    main(sys.argv[1:] or ["curling"])
