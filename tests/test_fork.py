"""Streams that are open while the process forks, and in children that end early."""

import subprocess
import sys
from collections.abc import Callable

import pytest
from support.backend import Backend

from libretto_instrument.demo import OfflineModel

OPEN_A_STREAM = """
import multiprocessing, os, sys
import libretto_instrument as libretto, openai

libretto.install(api_key="key", prompt_template_name="forked")
client = openai.OpenAI(api_key="sk", base_url=sys.argv[1], max_retries=0)

def begin():
    return client.chat.completions.create(
        model="m", messages=[{"role": "user", "content": "hello"}], stream=True
    )
"""

THE_PARENTS_STREAM = """
stream = begin()
first = next(stream)
child = os.fork()
if child == 0:
    sys.exit()
os.waitpid(child, 0)
rest = list(stream)
"""

A_CHILDS_STREAM = """
kept = []

def work():
    list(begin())
    kept.append(begin())
    for chunk in kept[0]:
        break

child = multiprocessing.get_context("fork").Process(target=work)
child.start()
child.join()
"""


@pytest.fixture
def ran(model: OfflineModel, backend: Backend) -> Callable[[str], None]:
    def run(program: str) -> None:
        subprocess.run(
            [
                sys.executable,
                "-W",
                "ignore",
                "-c",
                OPEN_A_STREAM + program,
                model.base_url,
            ],
            check=True,
            timeout=60,
        )

    return run


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_the_parents_stream_is_the_parents(
    ran: Callable[[str], None], backend: Backend
) -> None:
    """A stream open at a fork is one event, of the process that reads it on.

    (failure-modes 41)
    """
    ran(THE_PARENTS_STREAM)
    backend.wait_for(1)
    (event,) = backend.events
    assert "stream_status" not in event["responseMetrics"]
    assert event["response"].endswith('"hello"')


@pytest.mark.skipif(sys.platform == "win32", reason="there is no fork")
def test_a_stream_left_in_a_child(ran: Callable[[str], None], backend: Backend) -> None:
    """A child of multiprocessing that has delivered tells of its left stream, too.

    (failure-modes 43)
    """
    ran(A_CHILDS_STREAM)
    backend.wait_for(2)
    whole, left = backend.events
    assert "stream_status" not in whole["responseMetrics"]
    assert left["responseMetrics"]["stream_status"] == "abandoned"
