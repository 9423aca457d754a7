"""Scopes: what holds inside one, and who else is none the wiser."""

import asyncio
import contextvars
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import ExitStack
from typing import Any

import openai
import pytest
from support.versions import needs_responses

import libretto_instrument as libretto
from libretto_instrument import Scope
from libretto_instrument._config import scope
from libretto_instrument.testing import CapturedEvents


def here() -> dict[str, Any]:
    """Return what the scopes around the caller set."""
    frame = scope.current()
    return {} if frame is None else dict(frame.fields)


@pytest.fixture(autouse=True)
def _nothing_left_over() -> Iterator[None]:
    """Each test begins outside every scope, and so it ends."""
    yield
    left_over = here()
    scope._current.set(None)
    assert left_over == {}


# What holds inside


def test_nesting() -> None:
    """An inner scope wins field by field, and leaving it brings the outer one back."""
    with libretto.scope(prompt_template_name="outer", chat_id="chat"):
        with libretto.scope(prompt_template_name="inner", chain_id="chain"):
            assert here() == {
                "prompt_template_name": "inner",
                "chat_id": "chat",
                "chain_id": "chain",
            }
        assert here() == {"prompt_template_name": "outer", "chat_id": "chat"}
    assert here() == {}


def test_mappings_are_merged() -> None:
    """Context and template parameters of nested scopes are merged key by key."""
    with libretto.scope(context={"a": 1, "b": 1}, template_params={"x": 1}):
        with libretto.scope(context={"b": 2}, template_params={"y": 2}):
            assert here()["context"] == {"a": 1, "b": 2}
            assert here()["template_params"] == {"x": 1, "y": 2}
        assert here()["context"] == {"a": 1, "b": 1}


def test_an_exception_leaves_the_scope() -> None:
    """An exception leaves the scope as it leaves the block, and is not swallowed."""
    with pytest.raises(LookupError), libretto.scope(chat_id="chat"):
        raise LookupError


def test_the_scope_is_handed_over() -> None:
    """`with scope() as s` gives the scope itself."""
    made = libretto.scope()
    with made as entered:
        assert entered is made
        assert isinstance(entered, Scope)


async def test_async_with() -> None:
    """A scope is an asynchronous context manager, too, for an AsyncExitStack, say."""
    async with libretto.scope(chat_id="outer") as entered:
        assert isinstance(entered, Scope)
        async with libretto.scope(chain_id="inner"):
            await asyncio.sleep(0)
            assert here() == {"chat_id": "outer", "chain_id": "inner"}
        assert here() == {"chat_id": "outer"}


def test_one_scope_many_times() -> None:
    """One scope may be entered again, also inside itself."""
    again = libretto.scope(chat_id="chat")
    with again, libretto.scope(chat_id="between"), again:
        assert here() == {"chat_id": "chat"}
    with again:
        assert here() == {"chat_id": "chat"}


def test_only_what_is_one_calls_own_is_refused() -> None:
    """A scope sets every field but event_id, which no two calls may share."""
    with pytest.raises(TypeError, match=r"scope\(\) has no field 'event_id'"):
        libretto.scope(event_id="one")  # type: ignore[call-arg]  # the point


# As a decorator


def test_decorator() -> None:
    """A decorated function runs inside the scope, keeps its face and hands through."""

    @libretto.scope(chat_id="chat")
    def work(one: int, *, two: int) -> tuple[int, dict[str, Any]]:
        """Do it."""
        return one + two, here()

    assert work(1, two=2) == (3, {"chat_id": "chat"})
    assert (work.__name__, work.__doc__) == ("work", "Do it.")
    assert here() == {}


def test_decorated_methods() -> None:
    """A method can be decorated like a function."""

    class Worker:
        chat = "own"

        @libretto.scope(prompt_template_name="work")
        def work(self) -> tuple[str, dict[str, Any]]:
            return self.chat, here()

    assert Worker().work() == ("own", {"prompt_template_name": "work"})


def test_decorated_recursion() -> None:
    """A decorated function may call itself."""

    @libretto.scope(chat_id="chat")
    def countdown(number: int) -> dict[str, Any]:
        return countdown(number - 1) if number else here()

    assert countdown(3) == {"chat_id": "chat"}


async def test_decorated_coroutines() -> None:
    """A decorated coroutine function runs inside the scope to its end."""

    @libretto.scope(chat_id="chat")
    async def work() -> dict[str, Any]:
        await asyncio.sleep(0)
        return here()

    assert asyncio.iscoroutinefunction(work)
    pending = work()
    assert here() == {}
    assert await pending == {"chat_id": "chat"}


def test_generators_are_refused() -> None:
    """A generator function is refused: its body runs when the scope is long left."""

    def numbers() -> Iterator[int]:
        yield 1

    async def later() -> AsyncIterator[int]:
        yield 1

    for function in (numbers, later):
        with pytest.raises(TypeError, match="with scope") as caught:
            libretto.scope(chat_id="chat")(function)
        assert function.__name__ in str(caught.value)


# Who else is none the wiser


def test_what_is_no_function_is_refused() -> None:
    """A class, a class method's descriptor, or a value cannot be decorated."""

    class Given:
        """A class."""

    for given in (Given, classmethod(lambda cls: None), 5, None):
        with pytest.raises(TypeError, match="decorates functions"):
            libretto.scope(chat_id="c")(given)  # type: ignore[type-var]


async def test_tasks_do_not_see_each_others() -> None:
    """Tasks at work at once each see their own scope, and that of their maker."""
    inside = 0
    everybody = asyncio.Event()

    async def work(number: int) -> dict[str, Any]:
        nonlocal inside
        with libretto.scope(chain_id=f"task {number}"):
            inside += 1
            if inside == 3:
                everybody.set()
            await everybody.wait()
            return here()

    with libretto.scope(chat_id="of the maker"):
        seen = await asyncio.gather(*map(work, range(3)))
        assert here() == {"chat_id": "of the maker"}
    assert seen == [
        {"chat_id": "of the maker", "chain_id": f"task {number}"} for number in range(3)
    ]


async def test_one_scope_in_many_tasks_at_once() -> None:
    """One scope object entered by many tasks at once is left by each for itself."""
    shared = libretto.scope(chat_id="shared")
    turns = [asyncio.Event() for _ in range(4)]

    async def work(number: int) -> tuple[dict[str, Any], dict[str, Any]]:
        with libretto.scope(chain_id=f"task {number}"):
            async with shared:
                # The last to enter leaves first, and the first to enter leaves last.
                if number + 1 < len(turns):
                    await turns[number + 1].wait()
                inside = here()
            outside = here()
            turns[number].set()
            return inside, outside

    for number, (inside, outside) in enumerate(
        await asyncio.gather(*map(work, range(len(turns))))
    ):
        assert outside == {"chain_id": f"task {number}"}
        assert inside == {"chain_id": f"task {number}", "chat_id": "shared"}


def test_threads() -> None:
    """A bare thread starts outside every scope; one in a copied context stays inside,
    and what it enters there is its own."""
    seen: dict[str, dict[str, Any]] = {}

    def work(name: str) -> None:
        with libretto.scope(chain_id=name):
            seen[name] = here()

    with libretto.scope(chat_id="chat"):
        context = contextvars.copy_context()
        threads = [
            threading.Thread(target=work, args=["bare"]),
            threading.Thread(target=context.run, args=[work, "copied"]),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert here() == {"chat_id": "chat"}
    assert seen["copied"] == {"chat_id": "chat", "chain_id": "copied"}
    # Since Python 3.14 a thread may be told to start with its maker's context.
    assert seen["bare"]["chain_id"] == "bare"


def test_leaving_in_another_context() -> None:
    """A scope left in another context than it was entered in raises nothing and ends no
    other scope."""
    entered = libretto.scope(chat_id="entered elsewhere")
    elsewhere = contextvars.copy_context()
    elsewhere.run(entered.__enter__)
    with libretto.scope(chat_id="mine"):
        entered.__exit__(None, None, None)
        assert here() == {"chat_id": "mine"}
    assert elsewhere.run(here) == {"chat_id": "entered elsewhere"}


async def test_a_generator_closed_by_another_task() -> None:
    """An async generator with a scope inside may be closed by another task."""

    async def numbers() -> AsyncGenerator[dict[str, Any], None]:
        with libretto.scope(chat_id="in the generator"):
            yield here()
            yield here()

    made = numbers()
    began: asyncio.Task[Any] = asyncio.ensure_future(made.__anext__())
    assert await began == {"chat_id": "in the generator"}
    with libretto.scope(chat_id="mine"):
        await made.aclose()
        assert here() == {"chat_id": "mine"}


def test_left_out_of_order() -> None:
    """Two scopes left in the wrong order are both over in the end."""
    first, second = libretto.scope(chat_id="first"), libretto.scope(chain_id="second")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert here() == {"chain_id": "second"}
    second.__exit__(None, None, None)
    assert here() == {}


def test_a_generator_that_ends_inside_another_scope() -> None:
    """A generator's scope ends with it, though its caller entered another meanwhile."""

    def numbers() -> Iterator[dict[str, Any]]:
        with libretto.scope(chat_id="the generator's"):
            yield here()

    made = numbers()
    assert next(made) == {"chat_id": "the generator's"}
    with libretto.scope(chain_id="the caller's"):
        assert next(made, None) is None
        assert here() == {"chain_id": "the caller's"}
    assert here() == {}


def test_left_twice() -> None:
    """Leaving a scope once more than it was entered does nothing."""
    entered = libretto.scope(chat_id="inner")
    with libretto.scope(chat_id="outer"):
        with entered:
            pass
        entered.__exit__(None, None, None)
        assert here() == {"chat_id": "outer"}


# In calls


SENT: Any = [{"role": "user", "content": "Hi there"}]


def chat(client: openai.OpenAI, **options: Any) -> Any:
    """Make a call that says nothing of Libretto."""
    return client.chat.completions.create(model="any", messages=SENT, **options)


def test_a_call_needs_no_extra_argument(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """All that libretto= can say of a call but its event id, a scope can say around
    it, so that no checker stumbles over an argument."""
    said: dict[str, Any] = {
        "api_key": "key",
        "project_key": "project",
        "prompt_template_name": "name",
        "chat_id": "chat",
        "chain_id": "chain",
        "feedback_key": "feedback",
        "template_chat": [{"role": "user", "content": "{greeting} there"}],
        "template_params": {"greeting": "Hi"},
        "context": {"user": 7},
    }
    with libretto.scope(**said):
        chat(client)
    create: Any = client.chat.completions.create
    create(
        model="any", messages=[{"role": "user", "content": "Hi there"}], libretto=said
    )
    by_scope, by_argument = (
        {
            key: value
            for key, value in event.items()
            if key not in ("promptEventId", "responseTime")
        }
        for event in events
    )
    assert by_scope == by_argument
    assert by_scope["promptTemplateChat"] == said["template_chat"]
    assert by_scope["params"] == {"greeting": "Hi"}


def test_templates_of_scopes(client: openai.OpenAI, events: CapturedEvents) -> None:
    """The template of the innermost place holds: the call's, then the inner scope's."""

    def template(place: str) -> list[Any]:
        return [{"role": "user", "content": f"Hi {{{place}}}"}]

    create: Any = client.chat.completions.create
    own: Any = {"template_chat": template("call")}
    with libretto.scope(template_chat=template("outer")):
        chat(client)
        with libretto.scope(template_chat=template("inner")):
            chat(client)
            create(model="any", messages=SENT, libretto=own)
    assert [event["promptTemplateChat"] for event in events] == [
        template("outer"),
        template("inner"),
        template("call"),
    ]


def test_a_scope_around_an_agent(client: openai.OpenAI, events: CapturedEvents) -> None:
    """A scope's template holds where it fits; the rest is recorded as it was sent.

    What follows the template's messages, such as results of tools, is recorded behind
    them; a call of something else, as it is. The parameters are kept.
    """
    template = [
        {"role": "system", "content": "You use tools."},
        {"role": "user", "content": "Weather in {city}?"},
    ]
    sent = [template[0], {"role": "user", "content": "Weather in Bilbao?"}]
    called = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    result = {"role": "tool", "tool_call_id": "1", "content": "sunny"}
    params = {"city": "Bilbao", "user": "u-1"}
    create: Any = client.chat.completions.create
    with libretto.scope(template_chat=template, template_params=params):
        create(model="any", messages=sent)
        create(model="any", messages=[*sent, called, result])
        create(model="any", messages=[{"role": "user", "content": "Sum it up."}])
        create(model="any", messages=[sent[0], {"role": "user", "content": "And?"}])
        create(model="any", messages=sent[:1])
    assert [event["promptTemplateChat"] for event in events] == [
        template,
        [*template, called, result],
        [{"role": "user", "content": "Sum it up."}],
        [sent[0], {"role": "user", "content": "And?"}],
        sent[:1],
    ]
    assert all(event["params"] == params for event in events)


def test_a_scope_around_other_parameters(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """Where a scope's template fits, its parameters are those that were sent."""
    template = [{"role": "user", "content": "Hi {name}"}]
    with libretto.scope(template_chat=template, template_params={"name": "Ada"}):
        chat(client)
    assert events[0]["promptTemplateChat"] == template
    assert events[0]["params"] == {"name": "there"}


@needs_responses
def test_a_scope_around_responses(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """A scope's template is that of the input, or of instructions and input."""
    own = {"role": "system", "content": "Be {tone}."}
    user = {"role": "user", "content": "Hi {name}"}
    for template in ([own, user], [user]):
        with libretto.scope(template_chat=template):
            client.responses.create(
                model="any", instructions="Be kind.", input="Hi there"
            )
    with libretto.scope(template_text="Hi {name}"):
        client.responses.create(model="any", input="Hi there")
        client.responses.create(model="any", input="Something else")
    system = {"role": "system", "content": "Be kind."}
    assert [event["promptTemplateChat"] for event in events] == [
        [own, user],
        [system, user],
        [user],
        [{"role": "user", "content": "Something else"}],
    ]
    assert [event["params"] for event in events] == [
        {"tone": "kind", "name": "there"},
        {"name": "there"},
        {"name": "there"},
        {},
    ]


def test_suppressing(client: openai.OpenAI, events: CapturedEvents) -> None:
    """scope(enabled=False) records nothing inside, and a scope inside it may again."""
    with libretto.scope(enabled=False):
        chat(client)
        with libretto.scope(enabled=True, prompt_template_name="again"):
            chat(client)
        with libretto.scope(prompt_template_name="still off"):
            chat(client)
    assert [event["apiName"] for event in events] == ["again"]


def test_a_stream_keeps_its_scope(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """A stream that ends outside its scope, inside another, is recorded in its own."""
    with libretto.scope(prompt_template_name="mine", context={"a": 1}):
        stream = chat(client, stream=True)
    with libretto.scope(prompt_template_name="another's", context={"b": 2}):
        for _ in stream:
            pass
    assert events[0]["apiName"] == "mine"
    assert events[0]["context"] == {"a": 1}


def test_a_stream_read_by_another_thread(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """A stream that a worker thread of a web server reads keeps its scope."""
    with libretto.scope(prompt_template_name="mine"):
        stream = chat(client, stream=True)
    reader = threading.Thread(target=list, args=[stream])
    reader.start()
    reader.join()
    assert [event["apiName"] for event in events] == ["mine"]


def test_a_scope_in_a_streaming_generator(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """A generator that streams inside a scope may be resumed and closed in other
    contexts, as web servers do."""

    def tokens() -> Generator[Any]:
        with (
            libretto.scope(prompt_template_name="mine"),
            chat(client, stream=True) as stream,
        ):
            yield from stream

    response = tokens()
    for _ in range(2):
        contextvars.copy_context().run(next, response)
    contextvars.copy_context().run(response.close)
    assert [event["apiName"] for event in events] == ["mine"]


async def test_calls_of_tasks_at_once(model: Any, events: CapturedEvents) -> None:
    """Calls made at once by many tasks are recorded each in its task's scope."""

    async def ask(number: int) -> None:
        with libretto.scope(prompt_template_name=f"task {number}"):
            await client.completions.create(model="any", prompt=f"I am {number}")

    async with openai.AsyncOpenAI(api_key="sk-test", base_url=model.base_url) as client:
        await asyncio.gather(*map(ask, range(8)))
    assert {event["apiName"]: event["promptTemplateText"] for event in events} == {
        f"task {number}": f"I am {number}" for number in range(8)
    }


async def test_an_awaitable_keeps_its_scope(model: Any, events: CapturedEvents) -> None:
    """An awaited call belongs to the scope in which it was made, not awaited."""
    async with openai.AsyncOpenAI(api_key="sk-test", base_url=model.base_url) as client:
        with libretto.scope(prompt_template_name="made"):
            pending = client.completions.create(model="any", prompt="Hi")
        with libretto.scope(prompt_template_name="awaited"):
            await pending
    assert events[0]["apiName"] == "made"


def test_many_scopes_at_once() -> None:
    """Scopes nest as deep as a program does."""
    with ExitStack() as stack:
        for depth in range(200):
            stack.enter_context(libretto.scope(chat_id=str(depth)))
        assert here() == {"chat_id": "199"}
