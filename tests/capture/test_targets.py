"""Patching openai and restoring it, alone and among other patchers."""

import inspect
import os
import subprocess
import sys
import threading
from typing import Any

import openai
import pytest
from openai.resources.chat.completions import AsyncCompletions, Completions
from openai.resources.completions import Completions as TextCompletions
from support.answers import MESSAGES, completion
from support.backend import Backend
from support.kept import Kept
from support.scripted import ScriptedModel

import libretto_instrument as libretto
from libretto_instrument import _capture
from libretto_instrument._capture import TARGETS, Target, patching, wrappers
from libretto_instrument._capture.endpoints import table
from libretto_instrument.testing import CapturedEvents


def standing() -> dict[tuple[type, str], Any]:
    """Return what stands in the classes' own namespaces for every target."""
    found = {}
    for target in TARGETS:
        owner = getattr(sys.modules.get(target.module), target.owner, None)
        if owner is not None and target.method in owner.__dict__:
            found[owner, target.method] = owner.__dict__[target.method]
    return found


def described(owner: type) -> list[Any]:
    """Return what can be learned of a class's ``create`` without calling it."""
    create: Any = owner.create  # type: ignore[attr-defined]
    return [
        create.__name__,
        create.__qualname__,
        create.__doc__,
        inspect.signature(create),
        inspect.isfunction(owner.__dict__["create"]),
        inspect.iscoroutinefunction(create),
    ]


def ask(client: Any, **more: Any) -> Any:
    """Ask the usual question."""
    return client.chat.completions.create(model="gpt-test", messages=MESSAGES, **more)


# Alone


def test_five_cycles_restore_the_identical_functions() -> None:
    """install() and uninstall(), five times, leave openai as it was."""
    before = standing()
    assert (Completions, "create") in before
    assert (AsyncCompletions, "create") in before
    assert (TextCompletions, "create") in before
    for _ in range(5):
        libretto.install(api_key="k")
        during = standing()
        assert during.keys() == before.keys()
        assert all(during[at] is not before[at] for at in before)
        libretto.uninstall()
        after = standing()
        assert all(after[at] is before[at] for at in before)


def test_installing_again_wraps_nothing_again(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """install() twice is one wrapper and one event."""
    kept = Kept()
    _capture.patch(kept)
    once = standing()
    _capture.patch(kept)
    assert standing() == once
    server.answer(completion())
    ask(scripted)
    assert len(kept.calls) == 1


def test_a_patched_method_looks_like_openais() -> None:
    """Name, signature, documentation and kind of method are openai's own."""
    bare = [described(owner) for owner in (Completions, AsyncCompletions)]
    _capture.patch(Kept())
    assert [described(owner) for owner in (Completions, AsyncCompletions)] == bare


def test_a_missing_method_leaves_the_rest_recorded(
    monkeypatch: pytest.MonkeyPatch, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """What a version of openai does not have is skipped, and only that."""
    known = TARGETS[0]
    module, shape, driver = known.module, known.endpoint, known.wrapper_factory
    absent = (
        Target(module, "Completions", "not_there", shape, driver),
        Target(module, "NotThere", "create", shape, driver),
        Target("openai.not_there", "Completions", "create", shape, driver),
    )
    monkeypatch.setattr(patching, "TARGETS", (*absent, *TARGETS))
    kept = Kept()
    _capture.patch(kept)
    server.answer(completion())
    ask(scripted)
    assert len(kept.calls) == 1
    _capture.unpatch()
    assert not hasattr(Completions, "not_there")


@pytest.mark.usefixtures("lenient")
def test_a_target_that_cannot_be_patched_leaves_the_rest_recorded(
    monkeypatch: pytest.MonkeyPatch,
    warnings_of: pytest.LogCaptureFixture,
    server: ScriptedModel,
    scripted: openai.OpenAI,
) -> None:
    """A fault in patching one target is logged, and the others work."""

    def broken(shape: Any, recorder: Any, switch: Any) -> Any:
        raise RuntimeError("this driver cannot be made")

    monkeypatch.setattr(wrappers, "broken_driver", broken, raising=False)
    text = Target(
        "openai.resources.completions",
        "Completions",
        "create",
        "COMPLETION",
        "broken_driver",
    )
    monkeypatch.setattr(patching, "TARGETS", (text, *TARGETS[:1]))
    kept = Kept()
    _capture.patch(kept)
    server.answer(completion())
    ask(scripted)
    _capture.unpatch()
    assert len(kept.calls) == 1
    (record,) = warnings_of.records
    assert "RuntimeError in capture.patch Completions.create" in record.getMessage()


def test_every_target_names_a_shape_and_a_driver_that_exist() -> None:
    """The table's names lead somewhere, though they are looked up only when needed."""
    for target in TARGETS:
        assert hasattr(table, target.endpoint)
        assert hasattr(wrappers, target.wrapper_factory)


def test_other_methods_are_not_recorded(
    kept: Kept,
    warnings_of: pytest.LogCaptureFixture,
    server: ScriptedModel,
    scripted: openai.OpenAI,
) -> None:
    """Listing models, embedding and the like are no events, and no log."""
    server.answer({"object": "list", "data": []}, times=3)
    list(scripted.models.list())
    list(scripted.files.list())
    scripted.moderations.create(input="x")
    assert kept.calls == []
    assert warnings_of.records == []


# Whose clients


def test_clients_made_before_and_after(
    events: CapturedEvents, server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """Clients made before and after, and their copies, are recorded."""
    server.answer(completion(), times=4)
    after = openai.OpenAI(api_key="sk-test", base_url=server.url)
    bound_before = scripted.chat.completions.create
    for client in (scripted, after, scripted.with_options(timeout=9), after.copy()):
        ask(client)
    assert len(events) == 4
    server.answer(completion())
    bound_before(model="gpt-test", messages=MESSAGES)
    assert len(events) == 5
    after.close()


def test_a_resource_taken_before_patching(
    server: ScriptedModel, scripted: openai.OpenAI
) -> None:
    """A resource object that was taken from its client before is recorded."""
    completions = scripted.chat.completions
    kept = Kept()
    _capture.patch(kept)
    server.answer(completion())
    completions.create(model="gpt-test", messages=MESSAGES)
    assert len(kept.calls) == 1


def test_the_module_level_client(
    kept: Kept, server: ScriptedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """openai.chat.completions.create() is recorded."""
    monkeypatch.setattr(openai, "api_key", "sk-test")
    monkeypatch.setattr(openai, "base_url", server.url)
    server.answer(completion())
    openai.chat.completions.create(model="gpt-test", messages=MESSAGES)
    assert kept.event["response"] == "tennis"
    openai._reset_client()


def test_a_subclass_is_one_event(kept: Kept, server: ScriptedModel) -> None:
    """A subclass whose create() calls openai's is one event."""

    class Ours(Completions):
        def create(self, **kwargs: Any) -> Any:
            return super().create(**{**kwargs, "user": "ours"})

    class Client(openai.OpenAI):
        """A client class of the program."""

    client = Client(api_key="sk-test", base_url=server.url)
    server.answer(completion(), times=2)
    ask(client)
    Ours(client).create(model="gpt-test", messages=MESSAGES)
    client.close()
    assert len(kept.calls) == 2
    assert kept.events[1]["modelParameters"]["user"] == "ours"


def test_many_clients_share_one_delivery(
    server: ScriptedModel, backend: Backend
) -> None:
    """However many clients, there is one delivery, not a thread for each."""
    libretto.install(api_key="k", prompt_template_name="n")
    server.answer(completion(), times=20)
    clients = [openai.OpenAI(api_key="sk-test", base_url=server.url) for _ in range(20)]
    for client in clients:
        ask(client)
    assert libretto.flush()
    backend.wait_for(20)
    workers = {t.name for t in threading.enumerate() if "libretto" in t.name.lower()}
    assert 1 <= len(workers) < 5
    for client in clients:
        client.close()


def test_delivery_loads_no_http_library_beside_openais(
    server: ScriptedModel, backend: Backend
) -> None:
    """What delivers in the background loads no HTTP library that openai has not (38).

    openai 3 fails on an ``httpx`` that another thread has half loaded.
    """
    server.answer(completion())
    program = f"""
import sys, openai
import libretto_instrument as libretto
libretto.install(api_key="k", prompt_template_name="n")
before = {{name for name in ("httpx", "httpx2") if name in sys.modules}}
client = openai.OpenAI(api_key="sk-test", base_url={server.url!r})
client.chat.completions.create(model="m", messages=[])
print(libretto.flush())
print({{name for name in ("httpx", "httpx2") if name in sys.modules}} == before)
client.close()
"""
    assert run(program) == ["True", "True"]
    backend.wait_for(1)


# Before openai


def test_installing_before_openai_is_imported(server: ScriptedModel) -> None:
    """install() imports no openai, and takes effect when it is imported."""
    server.answer(completion())
    program = f"""
import sys
import libretto_instrument as libretto
libretto.install(api_key="k", prompt_template_name="n")
assert libretto.installed()
assert "openai" not in sys.modules
from libretto_instrument.testing import capture_events
with capture_events() as events:
    assert "openai" not in sys.modules
    import openai
    client = openai.OpenAI(api_key="sk-test", base_url={server.url!r})
    client.chat.completions.create(model="m", messages=[])
    print(events[0]["response"])
libretto.uninstall()
from openai.resources.chat.completions import Completions
print(hasattr(Completions.create, "__wrapped__.__wrapped__"), libretto.installed())
"""
    assert run(program) == ["tennis", "False False"]


def test_uninstalling_before_openai_is_imported() -> None:
    """install() taken back before the import leaves openai alone when it comes."""
    program = """
import libretto_instrument as libretto
libretto.install(api_key="k")
libretto.uninstall()
import openai, wrapt
from openai.resources.chat.completions import Completions
print(isinstance(Completions.__dict__["create"], wrapt.FunctionWrapper))
libretto.install(api_key="k")
print(isinstance(Completions.__dict__["create"], wrapt.FunctionWrapper))
"""
    assert run(program) == ["False", "True"]


def run(program: str) -> list[str]:
    """Run a program in a fresh interpreter and return the lines it prints."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()
