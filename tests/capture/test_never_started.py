"""Async calls that are dropped before their first step."""

import asyncio
import gc
import warnings
from typing import Any

import openai
import pytest

from libretto_instrument.testing import CapturedEvents

MESSAGES: Any = [{"role": "user", "content": "hello"}]


async def cancel_at_once(client: openai.AsyncOpenAI) -> None:
    task = asyncio.create_task(
        client.chat.completions.create(model="m", messages=MESSAGES)
    )
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def close_at_once(client: openai.AsyncOpenAI) -> None:
    client.chat.completions.create(model="m", messages=MESSAGES).close()


@pytest.mark.parametrize("drop", [cancel_at_once, close_at_once])
async def test_no_warning_that_openai_would_not_give(
    drop: Any, model: Any, events: CapturedEvents
) -> None:
    """A call that is cancelled or closed before it starts is as quiet as without us."""
    async with openai.AsyncOpenAI(api_key="sk", base_url=model.base_url) as client:
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            await drop(client)
            gc.collect()
    assert [str(warning.message) for warning in said] == []
    assert len(events) == 0


async def test_wrong_arguments_are_refused_when_the_call_is_made(
    model: Any, events: CapturedEvents
) -> None:
    """A missing argument is a TypeError at the call, not when it is awaited."""
    async with openai.AsyncOpenAI(api_key="sk", base_url=model.base_url) as client:
        with pytest.raises(TypeError, match="Missing required arguments"):
            client.chat.completions.create(model="m")  # type: ignore[call-overload]
