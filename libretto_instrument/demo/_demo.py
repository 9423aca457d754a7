"""The demonstration: makes calls, delivers the events, reads them back."""

import os
import tempfile
import threading
from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from uuid import uuid4

import openai

import libretto_instrument as libretto

from .._collector import running
from .._delivery.endpoint import strip_credentials
from .._util.progress import Progress, live_progress
from .._util.terminal import printable
from . import _story
from ._results import CheckResult, check_stored, format_table
from ._scenarios import CHAT_MODEL, SCENARIOS, TEXT_MODEL, DemoClient, Scenario
from ._server import offline_model

#: Seconds to wait for the delivery of the events.
_DELIVERY_TIMEOUT = 15.0
#: Seconds to wait for a response of the model.
_MODEL_TIMEOUT = 60.0


def _print(text: str = "", end: str = "\n") -> None:
    print(printable(text), end=end, flush=True)


def run(
    *,
    port: int = 0,
    db: str | Path | None = None,
    model: str | None = None,
    stay: bool = False,
) -> int:
    """Record real calls, deliver them, and show what was stored; see ``demo --help``.

    Returns:
        The exit status: 0 if every event, the feedback and the chain's result were read
        back from the local Libretto, else 1.

    Raises:
        ValueError: The port is taken, or the file cannot be used.
    """
    run_id = uuid4().hex
    with ExitStack() as stack:
        if db is None:
            folder = tempfile.TemporaryDirectory(prefix="libretto-demo-")
            db = Path(stack.enter_context(folder)) / "libretto.db"
        url = stack.enter_context(running(db=db, port=port)).url
        client = stack.enter_context(_connect(model))
        _print(f"Libretto   {url}  (in {db})\n")
        with _record_to(url, run_id):
            for scenario in SCENARIOS:
                _run_scenario(scenario, client)
            with live_progress(_progress):
                is_delivered = libretto.shutdown(_DELIVERY_TIMEOUT)
        _print("\nRead back from Libretto:\n")
        results = check_stored(url, run_id, SCENARIOS)
        _print(format_table(results))
        status = report_result(results, is_delivered)
        status = _tell_story(client, url, run_id) or status
        if stay:
            _serve_until_interrupt(url)
        else:
            _print("With --stay, their page stays up to be looked at.")
    return status


def _tell_story(client: DemoClient, url: str, run_id: str) -> int:
    """Change a prompt, and show what it does to recorded calls."""
    _print("\nChange a prompt, and see first what it does:\n")
    try:
        with _record_to(url, run_id):
            _story.record(client)
            is_delivered = libretto.shutdown(_DELIVERY_TIMEOUT)
            is_complete = _story.tell(client, url, _print)
    except openai.OpenAIError as exc:
        _print(f"  FAILED  {type(exc).__name__}")
        return 1
    return 0 if is_delivered and is_complete else 1


@contextmanager
def _connect(model: str | None) -> Generator[DemoClient]:
    """Yield a client of OpenAI, or what the environment says, or the offline model."""
    key = os.environ.get("OPENAI_API_KEY")
    base_url = os.environ.get("OPENAI_BASE_URL")
    with ExitStack() as stack:
        if key or base_url:
            shown = strip_credentials(base_url) if base_url else "OpenAI"
            _print(f"Model      {shown}, with your own key and quota")
            client = openai.OpenAI(api_key=key or "none", timeout=_MODEL_TIMEOUT)
        else:
            offline = stack.enter_context(
                offline_model(created=None, reply=_story.reply)
            )
            _print(f"Model      {offline.base_url}  (offline, and no language model:")
            _print("           set OPENAI_API_KEY or OPENAI_BASE_URL for a real one)")
            client = openai.OpenAI(api_key="offline", base_url=offline.base_url)
        stack.enter_context(client)
        yield DemoClient(client, model or CHAT_MODEL, model or TEXT_MODEL)


@contextmanager
def _record_to(url: str, run_id: str) -> Generator[None]:
    """Record every call and send it to ``url``, whatever the environment says."""
    own = {k: v for k, v in os.environ.items() if k.startswith("LIBRETTO_")}
    for name in own:
        del os.environ[name]
    os.environ["LIBRETTO_API_PREFIX"] = f"{url}/api"
    libretto.install(api_key="demo", context={"demo_run": run_id})
    try:
        yield
    finally:
        libretto.uninstall()
        del os.environ["LIBRETTO_API_PREFIX"]
        os.environ.update(own)


def _progress() -> Progress:
    stats = libretto.stats()
    done = stats.sent + sum(stats.dropped.values())
    return "Delivering", done, stats.accepted


def _run_scenario(scenario: Scenario, client: DemoClient) -> None:
    _print(f"  {scenario.name:<24}", end="")
    try:
        scenario.run(client)
    except (openai.OpenAIError, RuntimeError) as exc:
        # Its event must arrive all the same; the check shows what it lacks.
        _print(f"FAILED  {type(exc).__name__}")
    else:
        _print("done")


def report_result(results: Sequence[CheckResult], is_delivered: bool) -> int:
    """Print the result of the run, and return the exit status."""
    problems = [result for result in results if result.problem]
    _print()
    if not is_delivered:
        _print(f"Not everything was delivered within {_DELIVERY_TIMEOUT:.0f} s.")
    for result in problems:
        _print(f"{result.scenario}, {result.prompt}: {result.problem}.")
    if problems or not is_delivered:
        _print(f"{len(results) - len(problems)} of {len(results)} events are complete.")
        return 1
    _print(f"All {len(results)} events, the feedback and the chain's result arrived.")
    return 0


def _serve_until_interrupt(url: str) -> None:
    _print(f"\nSee them at {url} (Ctrl-C ends it).")
    with suppress(KeyboardInterrupt):
        threading.Event().wait()
