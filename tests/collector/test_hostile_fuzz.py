"""Hostile bodies in any combination: no fault, bounded work, honest posts answered."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")

from hypothesis import HealthCheck, given, settings  # noqa: E402
from hypothesis import strategies as st  # noqa: E402

from .test_server import process  # noqa: E402
from .wire import event, post, read  # noqa: E402

if not Path("/proc/self/status").exists():
    pytest.skip("work is measured by /proc", allow_module_level=True)

#: Of one request, in seconds of the processor, and in bytes.
MAX_CPU, MAX_MEMORY = 1.0, 256 * 2**20

counts = st.sampled_from([1, 50, 999, 20_000, 100_000])
few = st.sampled_from([1, 20])
atoms = st.sampled_from(
    [
        "x",
        "{a}",
        "{a.b[0]}",
        "\\{",
        "[",
        "{",
        "\n",
        " ",
        "é",
        "\ud800",
        "\0",
        "a b ",
        "=1,",
    ]
)
texts = st.builds(lambda atom, n: atom * n, atoms, counts)


def nest(value: Any, depth: int) -> Any:
    """Return a value within lists and objects."""
    for level in range(depth):
        value = [value] if level % 2 else {"a": value}
    return value


values = st.one_of(
    texts,
    st.sampled_from([None, True, -1, 10**300, 1e308, 2**63]),
    st.builds(
        lambda item, n: [item] * n, st.sampled_from([{}, [], 1, "x", None]), counts
    ),
    st.builds(lambda n: {str(i): i for i in range(min(n, 100_000))}, counts),
    st.builds(nest, st.sampled_from(["x", {}, 1]), st.sampled_from([3, 90, 98])),
    st.builds(lambda text, n: [{"role": "user", "content": text}] * n, texts, few),
)
keys = st.sampled_from(
    [
        *sorted(event()),
        *("tools", "toolCalls", "rawResponse", "responseMetrics", "context", "now"),
        *("responseErrors", "promptTemplateText", "chatId", "body", "seq", "replay"),
    ]
)
bodies = st.dictionaries(keys, values, max_size=4)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, str]]:
    """Yield the id and the address of a collector in a process of its own."""
    with process(tmp_path_factory.mktemp("fuzz") / "libretto.db") as (child, url):
        yield child.pid, url


def cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024


@settings(
    deadline=None,
    max_examples=40,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(body=bodies, path=st.sampled_from(["event", "feedback", "v1/updateChain"]))
def test_hostile_bodies(
    server: tuple[int, str], body: dict[str, Any], path: str
) -> None:
    """Whatever is posted is stored or refused, and shown, within the bounds."""
    pid, url = server
    content = json.dumps(event() | {"feedback_key": "f", "id": "c"} | body).encode()
    before = peak(pid)
    with httpx.Client(base_url=url, timeout=30) as http:
        start = cpu(pid)
        status = http.post(f"/api/{path}", content=content[: 10 * 2**20]).status_code
        assert status < 500
        assert cpu(pid) - start < MAX_CPU
        post(http)
        pages = ["/", "/events", "/api/events?limit=2", "/events.csv?limit=3", "/chats"]
        pages += [row["url"] for row in read(http, limit=2)]
        for page in pages:
            start = cpu(pid)
            assert http.get(page).status_code == 200, page
            assert cpu(pid) - start < MAX_CPU, page
    assert peak(pid) - before < MAX_MEMORY
