"""A web service that streams answers, and takes its readers' ratings of them.

To run it:

    pip install libretto-instrument fastapi uvicorn
    export OPENAI_API_KEY=… LIBRETTO_API_KEY=…
    uvicorn fastapi_app:app

    curl -Ni localhost:8000/answers --json '{"question": "Why?", "session": "s-1"}'
    curl localhost:8000/feedback --json '{"key": "the X-Feedback-Key", "rating": 1}'
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import openai
from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from openai.types.chat import ChatCompletionChunk
from pydantic import BaseModel, Field

import libretto_instrument as libretto

MODEL = os.environ.get("OPENAI_MODEL", "gpt-5.4-mini")

TEMPLATE = [
    {"role": "system", "content": "You answer in one sentence."},
    {"role": "user", "content": "{question}"},
]

libretto.install(prompt_template_name="answer")
client = openai.AsyncOpenAI()


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Close what is open when the server ends."""
    yield
    await client.close()
    # uvicorn dies of the signal that stopped it, and then nothing runs at exit. In a
    # thread, since it waits: nothing else here may stand still meanwhile.
    await asyncio.to_thread(libretto.shutdown)


app = FastAPI(lifespan=lifespan)


class Question(BaseModel):
    """A question."""

    question: str
    session: str


class Feedback(BaseModel):
    """A rating of an answer."""

    key: str = Field(min_length=1)
    rating: float = Field(ge=0, le=1)
    better_response: str | None = None


@app.post("/answers")
async def answer(asked: Question) -> StreamingResponse:
    """Stream an answer; its header names the key that feedback refers to."""
    with libretto.scope(chat_id=asked.session):
        stream = await client.chat.completions.create(
            model=MODEL,
            messages=libretto.TemplateChat(TEMPLATE, {"question": asked.question}),
            stream=True,
        )
    # The key is known before the first chunk.
    headers = {"X-Feedback-Key": libretto.feedback_key(stream) or ""}
    return StreamingResponse(words(stream), media_type="text/plain", headers=headers)


async def words(stream: openai.AsyncStream[ChatCompletionChunk]) -> AsyncIterator[str]:
    """Yield the text of a stream; if its reader goes, what was said is recorded."""
    async with stream:
        async for chunk in stream:
            for choice in chunk.choices:
                yield choice.delta.content or ""


@app.post("/feedback", status_code=202)
async def feedback(given: Feedback) -> None:
    """Pass on what a reader thought of an answer."""
    # It returns at once: what is said is delivered in the background.
    libretto.send_feedback(
        given.key, rating=given.rating, better_response=given.better_response
    )
