"""The libraries that are measured."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from .library import KEY, Library, Switched
from .peers import PEERS

#: How long a flush may take, in seconds. Whoever measures counts what arrived.
_PATIENCE = 120

OURS = "libretto-instrument"
BARE = "openai"


def _bare(sink: str, mode: str) -> Switched:
    return Switched()


def _libretto(sink: str, mode: str) -> Switched:
    os.environ["LIBRETTO_API_PREFIX"] = sink
    import libretto_instrument as libretto

    match mode:
        case "on" | "spool" | "relay":
            libretto.install(api_key=KEY, prompt_template_name="bench")
        case "no key":
            libretto.install(prompt_template_name="bench")
        case "disabled":
            libretto.install(api_key=KEY, prompt_template_name="bench", enabled=False)
        case _:
            raise ValueError(f"there is no mode {mode!r}")
    if mode in ("spool", "relay"):
        return _durable(is_relayed=mode == "relay")

    return Switched(lambda: libretto.flush(_PATIENCE))


def _durable(*, is_relayed: bool) -> Switched:
    from libretto_instrument._config import endpoints
    from libretto_instrument._outgoing import prepare
    from libretto_instrument._runtime import runtime
    from libretto_instrument.delivery import HttpSender
    from libretto_instrument.delivery.durable import DurableDelivery, Spool

    directory = tempfile.mkdtemp(prefix="bench-")
    atexit.register(shutil.rmtree, directory, ignore_errors=True)
    delivery = DurableDelivery(
        prepare, HttpSender(endpoints()), Spool(directory), spool_only=is_relayed
    )

    def submit(item: Any) -> None:
        message = prepare(item)
        if message is not None:
            delivery.put_message(message)

    def flush() -> bool:
        return delivery.flush(_PATIENCE)

    runtime.sink = submit
    if not is_relayed:
        return Switched(flush)
    relay = subprocess.Popen(
        [sys.executable, "-m", "bench.relay", directory], stdin=subprocess.PIPE
    )
    return Switched(flush, finish=relay.communicate)


LIBRARIES: Mapping[str, Library] = {
    BARE: Library((), _bare),
    OURS: Library((".",), _libretto),
    **PEERS,
}
