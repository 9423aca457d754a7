"""Calls of programs that assemble their prompts themselves, recorded by template."""

import json
import os
import subprocess
import sys
import types
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import openai
import pytest
from support.backend import Backend
from support.versions import needs_responses

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig
from libretto_instrument.demo import OfflineModel
from libretto_instrument.testing import CapturedEvents

RAG = [
    {"role": "system", "content": "You answer from the context only."},
    {"role": "user", "content": "Context:\n{context}\n\nQuestion: {question}"},
]
SLOGAN = "A slogan for {product}"
TEMPLATES: Any = {"rag": RAG, "slogan": SLOGAN}
DOCUMENTS = ["Oil the chain.", "Wipe it first."]


@pytest.fixture
async def async_client(model: OfflineModel) -> AsyncIterator[openai.AsyncOpenAI]:
    """Yield a bare async client of the offline model."""
    async with openai.AsyncOpenAI(
        api_key="sk-test", base_url=model.base_url, max_retries=0
    ) as bare:
        yield bare


def rag(client: openai.OpenAI, question: str) -> str | None:
    """Answer a question, as a program does that knows nothing of templates."""
    context = "\n".join(f"- {document}" for document in DOCUMENTS)
    answer = client.chat.completions.create(
        model="any",
        messages=[
            {"role": "system", "content": "You answer from the context only."},
            {"role": "user", "content": f"Context:\n{context}\n\nQuestion: {question}"},
        ],
    )
    return answer.choices[0].message.content


def slogan(client: openai.OpenAI, product: str, **options: Any) -> Any:
    """Ask for a slogan."""
    messages: Any = [{"role": "user", "content": f"A slogan for {product}"}]
    return client.chat.completions.create(model="any", messages=messages, **options)


def event_of(backend: Backend) -> dict[str, Any]:
    """Return the only event that arrived."""
    assert libretto.flush(10)
    (event,) = backend.events
    return event


def test_a_rag(client: openai.OpenAI, backend: Backend) -> None:
    """A RAG made of f-strings is recorded with template, parameters and name."""
    libretto.install(api_key="key", templates=TEMPLATES)
    rag(client, "How often?")
    event = event_of(backend)
    assert event["promptTemplateChat"] == RAG
    assert event["params"] == {
        "context": "- Oil the chain.\n- Wipe it first.",
        "question": "How often?",
    }
    assert event["apiName"] == event["promptTemplateName"] == "rag"
    assert "context" not in event


async def test_async_and_streams(
    client: openai.OpenAI, async_client: openai.AsyncOpenAI, backend: Backend
) -> None:
    """However the answer comes, the prompt is recognised."""
    libretto.install(api_key="key", templates=TEMPLATES)
    messages: Any = [{"role": "user", "content": "A slogan for tea"}]
    for _ in slogan(client, "tea", stream=True):
        pass
    await async_client.chat.completions.create(model="any", messages=messages)
    client.completions.create(model="any", prompt="A slogan for tea")
    assert libretto.flush(10)
    chat = [{"role": "user", "content": SLOGAN}]
    templates = [event.get("promptTemplateChat") for event in backend.events]
    assert sorted(templates, key=str) == [None, chat, chat]
    assert all(event["params"] == {"product": "tea"} for event in backend.events)
    assert all(event["apiName"] == "slogan" for event in backend.events)


@needs_responses
def test_responses(client: openai.OpenAI, backend: Backend) -> None:
    """The prompt of a response is its input, after instructions if it has any."""
    libretto.install(api_key="key", templates=TEMPLATES)
    client.responses.create(model="any", input="A slogan for tea")
    client.responses.create(
        model="any", input="A slogan for tea", instructions="Be {brief}."
    )
    assert libretto.flush(10)
    chat = [{"role": "user", "content": SLOGAN}]
    templates = [event["promptTemplateChat"] for event in backend.events]
    assert sorted(templates, key=len) == [
        chat,
        [{"role": "system", "content": r"Be \{brief\}."}, *chat],
    ]
    assert all(event["params"] == {"product": "tea"} for event in backend.events)
    assert all(event["apiName"] == "slogan" for event in backend.events)


def test_a_conversation(client: openai.OpenAI, backend: Backend) -> None:
    """However long a conversation grows, it stays one template."""
    template = [
        {"role": "system", "content": "Be kind."},
        {"role": "chat_history", "content": "{history}"},
        {"role": "user", "content": "{question}"},
    ]
    libretto.install(api_key="key", templates={"talk": template})
    messages: Any = [{"role": "system", "content": "Be kind."}]
    for question in ("Hi", "Why?"):
        messages.append({"role": "user", "content": question})
        answer = client.chat.completions.create(model="any", messages=messages)
        messages.append(
            {"role": "assistant", "content": answer.choices[0].message.content}
        )
    assert libretto.flush(10)
    first, second = sorted(backend.events, key=lambda event: len(str(event["params"])))
    assert first["promptTemplateChat"] == second["promptTemplateChat"] == template
    assert first["params"] == {"history": [], "question": "Hi"}
    assert second["params"] == {"history": messages[1:3], "question": "Why?"}


# Where templates are set


def test_the_most_specific_templates(client: openai.OpenAI, backend: Backend) -> None:
    """Templates of the scope count, else the client's, else the installed ones."""
    named = {place: {place: SLOGAN} for place in ("install", "client", "scope")}
    libretto.install(
        api_key="key", templates=named["install"], prompt_template_name="x"
    )
    slogan(client, "tea")
    libretto.attach(client, LibrettoConfig(templates=named["client"]))
    slogan(client, "tea")
    with libretto.scope(templates=named["scope"]):
        slogan(client, "tea")
        with libretto.scope(templates={}):
            slogan(client, "tea")
    assert libretto.flush(10)
    names = sorted(event["apiName"] for event in backend.events)
    assert names == ["client", "install", "scope", "x"]


@pytest.mark.parametrize("kind", ["module", "folder", "file"])
def test_the_environment(
    kind: str,
    client: openai.OpenAI,
    backend: Backend,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """LIBRETTO_TEMPLATES names a module, a folder or a file."""
    module = types.ModuleType("shop_prompts")
    module.slogan = SLOGAN  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "shop_prompts", module)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "slogan.txt").write_text(f"{SLOGAN}\n")
    (tmp_path / "all.json").write_text(json.dumps(TEMPLATES))
    places = {"folder": tmp_path / "prompts", "file": tmp_path / "all.json"}
    monkeypatch.setenv("LIBRETTO_TEMPLATES", str(places.get(kind, "shop_prompts")))
    libretto.install(api_key="key")
    slogan(client, "tea")
    assert event_of(backend)["apiName"] == "slogan"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        ({"t": 7}, TypeError),
        (7, TypeError),
        ({"t": [{"role": "chat_history", "content": "no placeholder"}]}, ValueError),
        ("no_such_module_of_prompts", ImportError),
    ],
)
def test_wrong_templates(source: Any, error: type[Exception]) -> None:
    """What is not a template is the programmer's mistake, told by install()."""
    with pytest.raises(error):
        libretto.install(api_key="key", templates=source)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("./no/such/folder", "folder cannot be read: No such file or directory.$"),
        ("no_such_module_of_prompts", "No module named"),
        ("prompts:NAME", "No module named"),
        ("numbers.json", "must be a text or a list of messages"),
        ("raising_prompts", "RuntimeError: not today"),
        ("exiting_prompts", "SystemExit: 4"),
        ("unfinished_prompts", "SyntaxError"),
    ],
)
def test_a_wrong_variable(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: str, problem: str
) -> None:
    """A variable that names no templates is refused by its name, whatever it names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    Path("numbers.json").write_text('{"t": 7}')
    Path("raising_prompts.py").write_text("raise RuntimeError('not today')")
    Path("exiting_prompts.py").write_text("raise SystemExit(4)")
    Path("unfinished_prompts.py").write_text("PROMPT = (")
    monkeypatch.setenv("LIBRETTO_TEMPLATES", source)
    with pytest.raises(ValueError, match=f"LIBRETTO_TEMPLATES .*{problem}"):
        libretto.install(api_key="key")


def test_a_wrong_template_in_a_scope(
    client: openai.OpenAI, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """One that cannot be rendered costs recognition and a warning, not the event."""
    wrong: Any = {"t": [{"role": "chat_history", "content": "no placeholder"}]}
    libretto.install(api_key="key", prompt_template_name="x")
    with libretto.scope(templates=wrong):
        slogan(client, "tea")
    assert event_of(backend)["apiName"] == "x"
    assert "Templates are not recognised" in caplog.text


# Names


@pytest.mark.parametrize(
    ("installed", "scoped", "own", "expected"),
    [
        (None, None, None, "slogan"),
        ("default", None, None, "slogan"),
        ("default", "mine", None, "mine"),
        (None, None, "mine", "mine"),
        ("default", "theirs", "mine", "mine"),
    ],
)
def test_whose_name(
    installed: str | None,
    scoped: str | None,
    own: str | None,
    expected: str,
    client: openai.OpenAI,
    backend: Backend,
) -> None:
    """A call's or a scope's own name stays; a default gives way to the template's."""
    libretto.install(api_key="key", templates=TEMPLATES, prompt_template_name=installed)
    options: Any = {"libretto": {"prompt_template_name": own}} if own else {}
    with libretto.scope(prompt_template_name=scoped):
        slogan(client, "tea", **options)
    event = event_of(backend)
    assert (event["apiName"], event["params"]) == (expected, {"product": "tea"})


def test_nothing_recognised(
    client: openai.OpenAI, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """A call that only a template would name, and none does, is counted and told."""
    libretto.install(api_key="key", templates=TEMPLATES)
    before = libretto.stats().dropped.get("withheld", 0)
    messages: Any = [{"role": "user", "content": "Something else"}]
    client.chat.completions.create(model="any", messages=messages)
    assert libretto.flush(10)
    assert backend.events == []
    assert libretto.stats().dropped["withheld"] == before + 1
    assert "fits none of the templates" in caplog.text
    with libretto.scope(allow_unnamed_prompts=True):
        client.chat.completions.create(model="any", messages=messages)
    event = event_of(backend)
    assert event["promptTemplateChat"] == messages
    assert event["apiName"] is None


def test_an_ambiguous_prompt(client: openai.OpenAI, backend: Backend) -> None:
    """A prompt that fits in several ways is recorded as it is, and says so."""
    templates = {"short": SLOGAN, "long": "A slogan for {product} in {language}"}
    libretto.install(api_key="key", templates=templates, context={"user": 7})
    slogan(client, "tea in Basque")
    event = event_of(backend)
    assert event["promptTemplateChat"][0]["content"] == "A slogan for tea in Basque"
    assert event["params"] == {}
    assert event["context"] == {
        "user": 7,
        "template": "ambiguous",
        "template_candidates": ["short", "long"],
    }
    with libretto.scope(prompt_template_name="long"):
        slogan(client, "tea in Basque")
    assert libretto.flush(10)
    assert backend.events[-1]["params"] == {"product": "tea", "language": "Basque"}


def test_declared_templates_come_first(client: openai.OpenAI, backend: Backend) -> None:
    """A template object, and a text in a message, are recorded as they declare it."""
    libretto.install(api_key="key", templates=TEMPLATES, prompt_template_name="x")
    declared = [{"role": "user", "content": "A {kind} for {product}"}]
    params = {"kind": "slogan", "product": "tea"}
    text = libretto.TemplateText("A {kind} for {product}", params)
    chat: Any = libretto.TemplateChat(declared, params)
    client.chat.completions.create(model="any", messages=chat)
    messages: Any = [{"role": "user", "content": text}]
    client.chat.completions.create(model="any", messages=messages)
    assert libretto.flush(10)
    for event in backend.events:
        assert event["promptTemplateChat"] == declared
        assert event["params"] == params


# On the way


def test_with_redaction(client: openai.OpenAI, backend: Backend) -> None:
    """What is recognised is redacted: the parameters, not the template."""
    libretto.install(api_key="key", templates=TEMPLATES, redact_pii=True)
    slogan(client, "ada@example.com")
    event = event_of(backend)
    assert event["promptTemplateChat"][0]["content"] == SLOGAN
    assert "ada@" not in json.dumps(event)
    assert event["params"]["product"].startswith("<")


def test_with_a_spool(client: openai.OpenAI, backend: Backend, tmp_path: Path) -> None:
    """With a spool, too, events arrive with their templates."""
    libretto.install(api_key="key", templates=TEMPLATES, spool_dir=tmp_path)
    slogan(client, "tea")
    event = event_of(backend)
    assert (event["apiName"], event["params"]) == ("slogan", {"product": "tea"})


# The caller's name


@pytest.fixture
def by_caller(backend: Backend) -> None:
    """Name unnamed prompts by what calls the model."""
    libretto.install(api_key="key", allow_unnamed_prompts="caller")


def test_the_caller(client: openai.OpenAI, backend: Backend, by_caller: None) -> None:
    """An unnamed prompt has the name of the function that calls the model."""
    slogan(client, "tea")
    assert event_of(backend)["apiName"] == f"{__name__}.slogan"


async def test_callers_of_all_kinds(
    client: openai.OpenAI,
    async_client: openai.AsyncOpenAI,
    backend: Backend,
    by_caller: None,
) -> None:
    """Frames of ours and of the standard library are passed over."""
    messages: Any = [{"role": "user", "content": "A slogan for tea"}]

    @libretto.scope(chat_id="c")
    async def within() -> None:
        await async_client.chat.completions.create(model="any", messages=messages)

    def called() -> None:
        [
            client.chat.completions.create(model="any", messages=messages)
            for _ in range(1)
        ]

    await within()
    called()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(slogan, client, "tea").result()
        # Nobody of the program is in that thread.
        create: Any = client.chat.completions.create
        pool.submit(create, model="any", messages=messages).result()
    assert libretto.flush(10)
    test = f"{__name__}.test_callers_of_all_kinds"
    short = sys.version_info < (3, 11)
    names = [event["apiName"] for event in backend.events]
    assert sorted(map(str, names)) == sorted(
        [
            f"{__name__}.within" if short else f"{test}.within",
            f"{__name__}.called" if short else f"{test}.called",
            f"{__name__}.slogan",
            "None",
        ]
    )


@pytest.mark.parametrize(
    "module", ["langchain_core.runnables", "ag2.agent", "fast_depends.utils"]
)
def test_a_framework_is_no_caller(
    client: openai.OpenAI, backend: Backend, by_caller: None, module: str
) -> None:
    """A call that a framework makes is named by what calls the framework."""
    framework = types.ModuleType(module)
    code = "def invoke(create, **given):\n    return create(**given)"
    exec(code, vars(framework))
    messages: Any = [{"role": "user", "content": "A slogan for tea"}]
    framework.invoke(client.chat.completions.create, model="any", messages=messages)
    assert event_of(backend)["apiName"] == f"{__name__}.test_a_framework_is_no_caller"


def test_names_before_the_callers(
    client: openai.OpenAI, events: CapturedEvents
) -> None:
    """A name that is given, and a recognised template's, count before the caller's."""
    with libretto.scope(allow_unnamed_prompts="caller"):
        with libretto.scope(prompt_template_name="mine"):
            slogan(client, "tea")
        with libretto.scope(templates=TEMPLATES):
            slogan(client, "tea")
            slogan(client, "")
    assert [event["apiName"] for event in events] == ["mine", "slogan", "slogan"]


def test_the_caller_by_the_environment(
    client: openai.OpenAI, backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LIBRETTO_ALLOW_UNNAMED_PROMPTS=caller does the same, and survives a spool."""
    monkeypatch.setenv("LIBRETTO_ALLOW_UNNAMED_PROMPTS", "caller")
    libretto.install(api_key="key")
    slogan(client, "tea")
    assert event_of(backend)["apiName"] == f"{__name__}.slogan"


def test_the_caller_in_a_spool(
    client: openai.OpenAI, backend: Backend, tmp_path: Path
) -> None:
    """A call's record that waits on disk keeps the caller's name."""
    libretto.install(api_key="key", allow_unnamed_prompts="caller", spool_dir=tmp_path)
    slogan(client, "tea")
    assert event_of(backend)["apiName"] == f"{__name__}.slogan"


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["shop.py"], "shop.ask"),
        (["-m", "shop"], "shop.ask"),
        (["-m", "kiosk"], "kiosk"),
    ],
)
def test_the_main_program(
    arguments: list[str],
    name: str,
    model: OfflineModel,
    backend: Backend,
    tmp_path: Path,
) -> None:
    """A program's own file is named as what it was started as."""
    call = "openai.OpenAI().completions.create(model='any', prompt='Hi')"
    head = (
        "import libretto_instrument as libretto, openai\n"
        "libretto.install(api_key='key', allow_unnamed_prompts='caller')\n"
    )
    (tmp_path / "shop.py").write_text(f"{head}def ask():\n    {call}\nask()\n")
    (tmp_path / "kiosk").mkdir()
    (tmp_path / "kiosk" / "__main__.py").write_text(f"{head}{call}\n")
    root = Path(libretto.__file__).parents[1]
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        cwd=tmp_path,
        env={
            **os.environ,
            "PYTHONPATH": f"{root}{os.pathsep}{tmp_path}",
            "OPENAI_BASE_URL": model.base_url,
            "OPENAI_API_KEY": "sk-test",
        },
    )
    backend.wait_for(1)
    assert backend.events[0]["apiName"] == name
