"""What recognising a template costs the worker, in µs an event.

    python benchmarks/recognition.py [--templates 100]

Each row is a set of templates that have less to tell them apart. Figures are medians
of the time of one look-up: of a prompt that was made from one of the templates, and of
one that was not.
"""

import argparse
import random
from statistics import median
from time import perf_counter_ns
from typing import Any

from bench import machine
from bench.tables import table

from libretto_instrument import TemplateChat
from libretto_instrument._recognition.index import TemplateIndex

_LOOKUPS = 2_000
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_CONTEXT_WORDS, _QUESTION_WORDS = 400, 10

Messages = list[dict[str, Any]]


def main() -> None:
    """Measure each set, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--templates", type=int, default=100)
    count = parser.parse_args().templates
    dice = random.Random(1)
    rows = [
        [title, *map("{:.0f}".format, measure(templates, dice))]
        for title, templates in sets(count, dice).items()
    ]
    print(f"{machine.describe()}; {machine.load()}\n")
    print(*table([f"{count} templates", "recognised", "foreign"], rows), sep="\n")


def sets(count: int, dice: random.Random) -> dict[str, list[Messages]]:
    """Return sets of templates of a RAG, by what distinguishes them."""
    system = words(80, dice)
    own = [words(20, dice) for _ in range(count)]
    ask = [words(4, dice) for _ in range(count)]
    return {
        "system messages of their own": [
            chat(mine, "Context:\n{context}\n\nQuestion: {question}") for mine in own
        ],
        "one system message": [
            chat(system, f"{mine}:\n{{context}}\n\nQuestion: {{question}}")
            for mine in ask
        ],
        "one system message, text in the middle": [
            chat(system, f"{{context}}\n\n{mine}: {{question}}") for mine in ask
        ],
        "system messages of their own, a history": [
            [
                {"role": "system", "content": mine},
                {"role": "chat_history", "content": "{history}"},
                {"role": "user", "content": "{question}"},
            ]
            for mine in own
        ],
    }


def measure(templates: list[Messages], dice: random.Random) -> tuple[float, float]:
    """Return the µs for a prompt of one of the templates, and for another's."""
    index = TemplateIndex({str(n): each for n, each in enumerate(templates)})
    past = [{"role": "user", "content": words(20, dice)}] * 10
    prompts: list[list[Any]] = []
    for _ in range(20):
        params = {
            "context": words(_CONTEXT_WORDS, dice),
            "question": words(_QUESTION_WORDS, dice),
            "history": past,
        }
        prompts.append(list(TemplateChat(dice.choice(templates), params)))
    foreign = [
        [prompt[0], *prompt[1:-1], {"role": "user", "content": words(400, dice)}]
        if len(prompt) == len(templates[0])
        else chat(words(20, dice), words(400, dice))
        for prompt in prompts
    ]
    return lookup(index, prompts), lookup(index, foreign)


def lookup(index: TemplateIndex, prompts: list[list[Any]]) -> float:
    """Return the median of look-ups, in µs."""
    times = []
    for n in range(_LOOKUPS):
        prompt = prompts[n % len(prompts)]
        start = perf_counter_ns()
        index.recognize(prompt)
        times.append(perf_counter_ns() - start)
    return median(times) / 1_000


def chat(system: str, user: str) -> Messages:
    """Return two messages."""
    return [
        {"role": "system", "content": system},
        {"role": "user", "content": user},
    ]


def words(count: int, dice: random.Random) -> str:
    """Return words of random letters."""
    return " ".join(
        "".join(dice.choices(_LETTERS, k=dice.randint(2, 9))) for _ in range(count)
    )


if __name__ == "__main__":
    main()
