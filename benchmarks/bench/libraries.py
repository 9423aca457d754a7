"""The libraries that are measured."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping

from . import limit
from .library import KEY, Library, Switched, nothing
from .peers import PEERS

#: How long a flush may take, in seconds. The measurement itself counts what arrived.
_PATIENCE = 120

OURS = "libretto-instrument"
BARE = "openai"


def _bare(sink: str, mode: str) -> Switched:
    return Switched()


def _libretto(sink: str, mode: str) -> Switched:
    os.environ["LIBRETTO_API_PREFIX"] = sink
    import libretto_instrument as libretto

    finish: Callable[[], object] = nothing
    match mode:
        case "on":
            libretto.install(api_key=KEY, prompt_template_name="bench")
        case "spool":
            libretto.install(
                api_key=KEY, prompt_template_name="bench", spool_dir=_directory()
            )
        case "relay":
            spool = _directory()
            libretto.install(
                api_key=KEY,
                prompt_template_name="bench",
                spool_dir=spool,
                spool_only=True,
            )
            finish = _start_relay(spool)
        case "spool only":
            os.environ["LIBRETTO_SPOOL_DIR"] = _directory()
            libretto.install(api_key=KEY, prompt_template_name="bench", spool_only=True)
        case "no key":
            libretto.install(prompt_template_name="bench")
        case "disabled":
            libretto.install(api_key=KEY, prompt_template_name="bench", enabled=False)
        case _:
            raise ValueError(f"there is no mode {mode!r}")
    return Switched(lambda: libretto.flush(_PATIENCE), finish=finish)


def _directory() -> str:
    path = tempfile.mkdtemp(prefix="bench-")
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    return path


def _start_relay(spool: str) -> Callable[[], object]:
    """Start a relay in a process of its own, and return what lets it finish."""
    command = ["-m", "libretto_instrument", "relay", "--drain", str(_PATIENCE)]
    relay = subprocess.Popen([sys.executable, *command, "--spool", spool])
    atexit.register(relay.kill)

    def finish() -> None:
        relay.terminate()
        relay.wait(_PATIENCE)

    return finish


LIBRARIES: Mapping[str, Library] = {
    BARE: Library((), _bare, posts=False),
    OURS: Library((".",), _libretto),
    **PEERS,
    limit.LIMIT: limit.LIBRARY,
}
