"""What becomes of calls that are recorded just before a process ends."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support.backend import Backend

from libretto_instrument.demo import OfflineModel

PROGRAM = """
import atexit, multiprocessing, os, sys
from concurrent.futures import ThreadPoolExecutor
import libretto_instrument as libretto, openai

def ask(text):
    client = openai.OpenAI(api_key="sk", base_url=os.environ["MODEL"], max_retries=0)
    client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": str(text)}]
    )

def ask_twice(text):
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(ask, [f"{text}a", f"{text}b"]))
"""

ENDS = {
    "an exit handler that runs after ours": (
        """
atexit.register(lambda: ask("late"))
libretto.install()
ask("before")
""",
        2,
    ),
    "the only call, in such a handler": (
        """
atexit.register(lambda: ask("late"))
libretto.install()
""",
        1,
    ),
    "a pool that is terminated": (
        """
libretto.install()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map(ask, range(12))
""",
        12,
    ),
    "threads in a pool that is terminated": (
        """
libretto.install()
if __name__ == "__main__":
    with multiprocessing.get_context("fork").Pool(3) as pool:
        pool.map(ask_twice, range(6))
""",
        12,
    ),
}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("end", ENDS)
def test_delivered(
    end: str, backend: Backend, model: OfflineModel, tmp_path: Path
) -> None:
    """What is recorded at the very end of a process is delivered all the same."""
    script, count = ENDS[end]
    path = tmp_path / "program.py"
    path.write_text(PROGRAM + script)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(path)],
        env={
            **os.environ,
            "LIBRETTO_API_KEY": "key",
            "LIBRETTO_TEMPLATE_NAME": "name",
            "MODEL": model.base_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert len(backend.events) == count
