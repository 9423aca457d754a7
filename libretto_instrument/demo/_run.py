"""The demonstration from its start to its exit status."""

import os
import sys
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import openai

import libretto_instrument as libretto

from .._collector import running
from .._util.progress import Standing, watched
from ._arrivals import Finding, compare, read_back
from ._model import offline_model
from ._scenarios import CHAT_MODEL, SCENARIOS, TEXT_MODEL, Asker, Scenario
from ._table import table

#: Seconds that the events may take to reach Libretto once all calls are made.
_DELIVERY = 15.0

#: Seconds that a model may take to answer.
_TIMEOUT = 60.0


def run(
    *,
    port: int = 0,
    db: str | Path | None = None,
    model: str | None = None,
    stay: bool = False,
) -> int:
    """Record real calls, deliver them, and show what arrived.

    Args:
        port: The port of the local Libretto; 0 takes any that is free.
        db: The SQLite file it stores the events in; None takes a temporary one.
        model: The model to ask, for chats and texts; None takes one for each.
        stay: Whether to keep the page up until it is interrupted.

    Returns:
        The exit status: 0 if every event, the feedback and the chain's result were read
        back from the local Libretto, else 1.

    Raises:
        ValueError: If the port is taken or the file cannot be used.
    """
    mark = uuid4().hex
    with ExitStack() as stack:
        if db is None:
            db = Path(stack.enter_context(_temporary_folder())) / "libretto.db"
        url = stack.enter_context(running(db=db, port=port)).url
        asker = stack.enter_context(_asker(model))
        _say(f"Libretto   {url}  (in {db})\n")
        with _recording(url, mark):
            for scenario in SCENARIOS:
                _play(scenario, asker)
            with watched(_standing):
                delivered = libretto.shutdown(_DELIVERY)
        _say("\nRead back from Libretto:\n")
        findings = compare(SCENARIOS, read_back(url, mark))
        _say(table(findings))
        status = verdict(findings, delivered)
        if stay:
            _stay(url)
        else:
            _say("With --stay, their page stays up to be looked at.")
    return status


@contextmanager
def _asker(model: str | None) -> Generator[Asker]:
    """Yield who asks: OpenAI or its like where the environment says so."""
    key = os.environ.get("OPENAI_API_KEY")
    base_url = os.environ.get("OPENAI_BASE_URL")
    with ExitStack() as stack:
        if key or base_url:
            _say(f"Model      {base_url or 'OpenAI'}, with your own key and quota")
            client = openai.OpenAI(api_key=key or "none", timeout=_TIMEOUT)
        else:
            offline = stack.enter_context(offline_model(created=None))
            _say(f"Model      {offline.base_url}  (offline, and no language model:")
            _say("           set OPENAI_API_KEY or OPENAI_BASE_URL for a real one)")
            client = openai.OpenAI(api_key="offline", base_url=offline.base_url)
        stack.enter_context(client)
        yield Asker(client, model or CHAT_MODEL, model or TEXT_MODEL)


@contextmanager
def _recording(url: str, mark: str) -> Generator[None]:
    """Record every call, each marked with the run, and send it to ``url`` alone."""
    # Settings made for the user's own Libretto would take the events elsewhere.
    own = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("LIBRETTO_")
    }
    for name in own:
        del os.environ[name]
    os.environ["LIBRETTO_API_PREFIX"] = f"{url}/api"
    libretto.install(api_key="demo", context={"demo_run": mark})
    try:
        yield
    finally:
        libretto.uninstall()
        del os.environ["LIBRETTO_API_PREFIX"]
        os.environ.update(own)


def _standing() -> Standing:
    stats = libretto.stats()
    done = stats.sent + sum(stats.dropped.values())
    return "Delivering", done, stats.recorded


def _play(scenario: Scenario, asker: Asker) -> None:
    _say(f"  {scenario.name:<24}", end="")
    try:
        scenario.run(asker)
    except (openai.OpenAIError, RuntimeError) as exc:
        # Its event must arrive all the same; what the answer lacks is seen there.
        _say(f"FAILED  {type(exc).__name__}")
    else:
        _say("done")


def verdict(findings: Sequence[Finding], delivered: bool) -> int:
    """Tell what came of the run, and return the exit status."""
    faults = [finding for finding in findings if finding.fault]
    _say("")
    if not delivered:
        _say(f"Not everything was delivered within {_DELIVERY:.0f} s.")
    for finding in faults:
        _say(f"{finding.scenario.name}, {finding.prompt}: {finding.fault}.")
    if faults or not delivered:
        _say(f"{len(findings) - len(faults)} of {len(findings)} events are whole.")
        return 1
    _say(f"All {len(findings)} events, the feedback and the chain's result arrived.")
    return 0


def _stay(url: str) -> None:
    _say(f"\nSee them at {url} (Ctrl-C ends it).")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()


def _say(text: str, end: str = "\n") -> None:
    print(text, end=end)
    sys.stdout.flush()


def _temporary_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="libretto-demo-")
