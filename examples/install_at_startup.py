"""Install once where the program starts: every openai client in it is recorded.

To run it:

    pip install libretto-instrument
    export OPENAI_API_KEY=… LIBRETTO_API_KEY=…
    python install_at_startup.py "a quiet kettle"
"""

import asyncio
import os
import sys

import openai

import libretto_instrument as libretto

MODEL = os.environ.get("OPENAI_MODEL", "gpt-5.4-mini")

# Code that knows nothing of Libretto, as most of a program does.


async def slogan(product: str) -> str:
    """Print a slogan as it is written, and return it."""
    async with openai.AsyncOpenAI() as client:
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"Write a slogan for {product}."}],
            stream=True,
        )
        said = ""
        async for chunk in stream:
            for choice in chunk.choices:
                said += choice.delta.content or ""
                print(choice.delta.content or "", end="", flush=True)
    print()
    return said


def translate(text: str) -> str:
    """Return a text in French."""
    with openai.OpenAI() as client:
        completion = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": f"Say this in French: {text}"}],
        )
    return completion.choices[0].message.content or ""


# Where the program starts: what is recorded, and under which name.


def main(product: str) -> None:
    """Print a slogan for a product, and the same in French."""
    libretto.install(context={"program": "slogans"})
    with libretto.scope(prompt_template_name="slogan"):
        said = asyncio.run(slogan(product))
    with libretto.scope(prompt_template_name="translate"):
        print(translate(said))


if __name__ == "__main__":
    main(" ".join(sys.argv[1:]) or "a quiet kettle")
