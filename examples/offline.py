"""Runs another example without any key, and shows the events that it left.

A small offline model stands in for OpenAI, which understands nothing and quotes what it
is asked, and a local Libretto for the real one.

To run it:

    pip install 'libretto-instrument[collector]'
    python offline.py rag.py "Why does my kettle whistle?"
    python offline.py -m uvicorn fastapi_app:app
"""

import json
import os
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from libretto_instrument._collector import running
from libretto_instrument.demo import offline_model


def events_of(url: str) -> list[dict[str, Any]]:
    """Return the bodies of the events that a local Libretto has, oldest first."""
    with urllib.request.urlopen(f"{url}/api/events") as answer:
        rows = json.load(answer)["events"]
    return [row["event"] for row in reversed(rows)]


def main(program: list[str]) -> int:
    """Run Python with these arguments, and return its exit status."""
    with (
        TemporaryDirectory() as folder,
        running(Path(folder, "libretto.db")) as libretto,
        offline_model() as model,
    ):
        own = {name: v for name, v in os.environ.items() if "LIBRETTO_" not in name}
        own |= {"OPENAI_BASE_URL": model.base_url, "OPENAI_API_KEY": "none"}
        own |= {"LIBRETTO_API_PREFIX": f"{libretto.url}/api", "LIBRETTO_API_KEY": "any"}
        print(f"Libretto: {libretto.url}\n", flush=True)
        run = subprocess.Popen([sys.executable, *program], env=own)
        # Ctrl-C is for the program; its events are shown all the same.
        with run, suppress(KeyboardInterrupt):
            run.wait()
        for event in events_of(libretto.url):
            said = {key: event[key] for key in ("params", "context") if event.get(key)}
            print(f"\n{event['apiName']}  {json.dumps(said, ensure_ascii=False)}")
            print(f"  {event.get('response') or event.get('responseErrors')}")
        return run.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["rag.py"]))
