"""LangChain between the program and openai: names and templates said by a scope.

LangChain fills in its own templates, so openai only sees finished messages. The scope
around it says which template and parameters these came from.

To run it:

    pip install libretto-instrument langchain-openai
    export OPENAI_API_KEY=… LIBRETTO_API_KEY=…
    python langchain_app.py French "The kettle boils."
"""

import os
import sys

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

import libretto_instrument as libretto

MODEL = os.environ.get("OPENAI_MODEL", "gpt-5.4-mini")

TEMPLATE = [
    ("system", "You translate into {language}."),
    ("user", "{text}"),
]


def translate(language: str, text: str) -> str:
    """Return a text in another language."""
    steps = ChatPromptTemplate(TEMPLATE) | ChatOpenAI(model=MODEL) | StrOutputParser()
    params = {"language": language, "text": text}
    with libretto.scope(
        prompt_template_name="translate",
        template_chat=[{"role": role, "content": said} for role, said in TEMPLATE],
        template_params=params,
    ):
        answer: str = steps.invoke(params)
    return answer


def main(language: str = "French", *words: str) -> None:
    """Print a text in another language."""
    libretto.install(context={"framework": "langchain"})
    print(translate(language, " ".join(words) or "The kettle boils."))


if __name__ == "__main__":
    main(*sys.argv[1:])
