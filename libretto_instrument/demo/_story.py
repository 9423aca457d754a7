"""The end of the demonstration: a changed prompt, tried on recorded calls.

Twelve customers were answered by one revision of a prompt; nine answers were corrected,
three rated well. Another revision is tried on these calls.
"""

from collections.abc import Callable
from typing import Any

import libretto_instrument as libretto
from libretto_instrument import improve

from ..improve._report import summarize
from ._scenarios import DemoClient

PROMPT = "demo-shop"
OLD = "You answer the customers of a shop."
NEW = "You answer the customers of a shop. Say when, in one sentence."

#: What was asked, and the good answers to it.
ANSWERS = {
    "Where is my parcel?": "Your parcel arrives on Monday.",
    "When do I get my refund?": "Your refund arrives on Monday.",
    "Is the lamp back soon?": "The lamp is back on Monday.",
    "When does the sale begin?": "The sale begins on Monday.",
    "Where is my invoice?": "Your invoice arrives on Monday.",
    "How long does the repair take?": "The repair is done on Monday.",
    "When will you call me back?": "We call you back on Monday.",
    "Is my order on its way?": "Your order leaves on Monday.",
    "When is the shop open again?": "The shop opens on Monday.",
    "Do you sell kettles?": "Yes, we sell kettles.",
    "Can I pay by card?": "Yes, we take cards.",
    "What does shipping cost?": "Shipping costs three euros.",
}
#: The questions that the first revision answers well.
_EASY = ("Do you sell kettles?", "Can I pay by card?", "What does shipping cost?")


def reply(text: str) -> str | None:
    """Return what the offline model answers to a customer, by fixed rules.

    With "Say when" in the prompt it answers most questions well, and the one about
    shipping costs wrongly.
    """
    if "customers of a shop" not in text:
        return None
    question = next((each for each in ANSWERS if each in text), "")
    if "Say when" in text:
        if question == "What does shipping cost?":
            return "Shipping arrives on Monday."
        return ANSWERS.get(question, "On Monday.")
    if question in _EASY:
        return ANSWERS[question]
    return "Thank you for your question. We will look into it."


def _template(system: str) -> list[Any]:
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": "{question}"},
    ]


def record(client: DemoClient) -> None:
    """Make the calls of the first revision, and give feedback to each."""
    for question, answer in ANSWERS.items():
        better = None if question in _EASY else answer
        completion = client.chat(
            libretto.TemplateChat(_template(OLD), {"question": question}),
            libretto={"prompt_template_name": PROMPT},
        )
        libretto.send_feedback(
            libretto.feedback_key(completion),
            rating=0.25 if better else 1.0,
            better_response=better,
        )


def tell(client: DemoClient, url: str, print_line: Callable[[str], object]) -> bool:
    """Replay the calls with the second revision; say whether all of them were."""
    # A database that is kept may have those of earlier runs, too.
    cases = improve.cases(url, prompt=PROMPT, limit=len(ANSWERS))
    print_line(f"{len(cases)} calls of {PROMPT} were corrected, or rated well.")
    print_line(f'The prompt "{OLD}"')
    print_line(f'   becomes "{NEW}"\n')
    template = _template(NEW)
    replay = improve.replay(cases, template=template, client=client.client, to=url)
    for result in [*replay.errors, *replay.worse, *replay.better[:1]]:
        text = result.error or result.answers[0].text
        print_line(f"  {result.verdict:7}{result.case.params['question']}")
        print_line(f"         before {result.case.answer}")
        print_line(f"         now    {text}")
    print_line("")
    for line in summarize(replay):
        print_line(f"  {line}")
    print_line(f"\nSide by side: {url}/replays/{replay.id}")
    return len(replay.results) == len(ANSWERS)
