"""Connections, headers and log lines are bounded, and honest clients get through."""

import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from libretto_instrument._collector import RunningServer, limits, running

from .wire import post


def connect(server: RunningServer) -> socket.socket:
    address = urlsplit(server.url)
    return socket.create_connection((address.hostname, address.port), 10)


@pytest.fixture
def crowded(db: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningServer]:
    """Yield a collector that has few connections and little patience."""
    monkeypatch.setattr(limits, "MAX_CONNECTIONS", 20)
    monkeypatch.setattr(limits, "REQUEST_TIMEOUT", 1.5)
    from libretto_instrument._collector import server

    monkeypatch.setattr(server, "MAX_CONNECTIONS", 20)
    with running(db) as started:
        yield started


HEAD = b"POST /api/event HTTP/1.1\r\nHost: localhost\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GE",
        HEAD,
        HEAD + b"Content-Length: 100\r\n\r\n{",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",
        b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\nGE",
    ],
)
def test_honest_posts_are_answered_beside_open_connections(
    crowded: RunningServer, sent: bytes
) -> None:
    """Connections that are idle, half-sent or listening do not keep others out."""
    opened = []
    for _ in range(60):
        opened.append(connect(crowded))
        opened[-1].sendall(sent)
    for _ in range(5):
        with httpx.Client(base_url=crowded.url, timeout=60) as http:
            post(http)
    for each in opened:
        each.close()


@pytest.mark.parametrize(
    "sent", [b"", b"GET / HT", HEAD, HEAD + b"Content-Length: 9\r\n\r\n{"]
)
def test_half_a_request_is_given_up(crowded: RunningServer, sent: bytes) -> None:
    """A request that does not go on has its connection closed."""
    with connect(crowded) as sock:
        sock.sendall(sent)
        sock.settimeout(20)
        received = b""
        try:
            while chunk := sock.recv(10_000):
                received += chunk
        except ConnectionResetError:
            pass
    assert b"200 OK" not in received


@pytest.mark.parametrize(
    "line", [b"X-%d: " + b"a" * 1_000 + b"\r\n", b"X-%d: a\r\n", b"a"]
)
def test_endless_headers_are_given_up(collector: RunningServer, line: bytes) -> None:
    """Headers without end are refused, whatever they are made of."""
    sent = 0
    with connect(collector) as sock:
        try:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n")
            for number in range(200_000):
                data = line % number if b"%" in line else line * 1_000
                sock.sendall(data)
                sent += len(data)
                if sent > 5_000_000:
                    break
        except OSError:
            pass
    assert sent < 5_000_000


def test_log_lines_are_limited(caplog: pytest.LogCaptureFixture) -> None:
    """A fault that is repeated does not fill the log."""
    import logging

    logger, limit = logging.getLogger("test.limited"), limits.LogLimit()
    logger.addFilter(limit)
    for number in range(1_000):
        logger.error("fault %d", number)
    assert 0 < len(caplog.records) <= limits.MAX_LOG_LINES
