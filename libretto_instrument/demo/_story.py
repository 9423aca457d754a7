"""The story of the demonstration: a prompt is changed, and one sees first what it does.

Twelve customers were answered by one revision of a prompt; nine answers were corrected,
three rated well. Another revision is tried on these calls.
"""

import re
from collections.abc import Callable
from typing import Any

import libretto_instrument as libretto
from libretto_instrument import improve

from ..improve._report import summarize
from ._scenarios import DemoClient

PROMPT = "demo-shop"
OLD: list[Any] = [
    {"role": "system", "content": "You answer the customers of a shop."},
    {"role": "user", "content": "{question}"},
]
NEW: list[Any] = [
    {
        "role": "system",
        "content": "You answer the customers of a shop. Say when, in one sentence.",
    },
    {"role": "user", "content": "{question}"},
]

#: What was asked; and what should have been said, if the answer was not good.
QUESTIONS: dict[str, str | None] = {
    "Where is my parcel?": "Your parcel arrives on Monday.",
    "When do I get my refund?": "Your refund arrives on Monday.",
    "Is the lamp back soon?": "The lamp is back on Monday.",
    "When does the sale begin?": "The sale begins on Monday.",
    "Where is my invoice?": "Your invoice arrives on Monday.",
    "How long does the repair take?": "The repair is done on Monday.",
    "When will you call me back?": "We call you back on Monday.",
    "Is my order on its way?": "Your order leaves on Monday.",
    "When is the shop open again?": "The shop opens on Monday.",
    "Do you sell kettles?": None,
    "Can I pay by card?": None,
    "What does shipping cost?": None,
}
_GOOD = {
    "Do you sell kettles?": "Yes, we sell kettles.",
    "Can I pay by card?": "Yes, we take cards.",
    "What does shipping cost?": "Shipping costs three euros.",
}


def reply(text: str) -> str | None:
    """Return what the offline model says to a customer: a rule, and no intelligence.

    Told to say when, it does, also where nobody asked for it.
    """
    if "customers of a shop" not in text:
        return None
    found = re.search("|".join(map(re.escape, QUESTIONS)), text)
    question = found[0] if found else ""
    good = _GOOD.get(question)
    if "Say when" not in text:
        return good or "Thank you for your question. We will look into it."
    if question == "What does shipping cost?":
        return "Shipping arrives on Monday."
    return good or QUESTIONS.get(question) or "On Monday."


def record(client: DemoClient) -> None:
    """Make the calls of the first revision, and give feedback to each."""
    for question, better in QUESTIONS.items():
        completion = client.chat(
            libretto.TemplateChat(OLD, {"question": question}),
            libretto={"prompt_template_name": PROMPT},
        )
        libretto.send_feedback(
            libretto.feedback_key(completion),
            rating=0.25 if better else 1.0,
            better_response=better,
        )


def tell(client: DemoClient, url: str, print_line: Callable[[str], object]) -> bool:
    """Replay the calls with the second revision; say whether all of them were."""
    cases = improve.cases(url, prompt=PROMPT)
    old, new = OLD[0]["content"], NEW[0]["content"]
    print_line(f"{len(cases)} calls of {PROMPT} were corrected, or rated well.")
    print_line(f'The prompt "{old}"')
    print_line(f'   becomes "{new}"\n')
    replay = improve.replay(cases, template=NEW, client=client.client, to=url)
    for result in [*replay.errors, *replay.worse, *replay.better[:1]]:
        text = result.error or result.answers[0].text
        print_line(f"  {result.verdict:7}{result.case.params['question']}")
        print_line(f"         before {result.case.answer}")
        print_line(f"         now    {text}")
    print_line("")
    for line in summarize(replay):
        print_line(f"  {line}")
    print_line(f"\nSide by side: {url}/replays/{replay.id}")
    return len(replay.results) == len(QUESTIONS)
