"""The application that uvicorn serves: each request is a call of the model.

What it has recorded it delivers in its lifespan: uvicorn ends itself by the signal that
it was sent, so that nothing runs at the process's end.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import openai
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import libretto_instrument as libretto

libretto.install(api_key="key", prompt_template_name="served")


async def ask(request: Request) -> PlainTextResponse:
    """Call the model; the event gets the id that the path names."""
    asked: dict[str, Any] = {
        "model": "any",
        "messages": [{"role": "user", "content": "Hello"}],
        "libretto": {"event_id": request.path_params["identity"]},
    }
    async with openai.AsyncOpenAI(max_retries=0) as client:
        await client.chat.completions.create(**asked)
    return PlainTextResponse(str(os.getpid()))


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    """Deliver as the server shuts down, while it still waits for the application."""
    yield
    await asyncio.to_thread(libretto.shutdown, 30.0)


app = Starlette(routes=[Route("/{identity}", ask)], lifespan=lifespan)
