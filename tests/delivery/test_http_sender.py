"""One post to a real server, in each of the ways it can go."""

import logging
import socket
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from time import monotonic

import pytest
import wrapt
from support import backend as answers
from support.backend import Backend, content, redirect, slow, status
from support.tls import self_signed
from support.waiting import eventually

from libretto_instrument.delivery import HttpSender, Message
from libretto_instrument.delivery._address import Address
from libretto_instrument.delivery._connections import connect

MESSAGE = Message("event", "e1", b'{"promptEventId": "e1", "apiKey": "key-123"}')


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


@pytest.fixture
def sender(backend):
    sender = HttpSender(backend.urls, timeout=5)
    yield sender
    sender.close()


def test_post(backend, sender):
    """A message arrives at the address of its kind, as JSON, with its body intact."""
    for kind, path in answers.PATHS.items():
        outcome = sender.send(Message(kind, "1", b'{"a": "\xc3\xa9"}'))
        assert outcome.delivered
        request = backend.received[-1]
        assert request.path == path
        assert request.body == b'{"a": "\xc3\xa9"}'
        assert request.headers["content-type"] == "application/json"
        assert request.headers["content-length"] == "11"
        assert request.headers["host"] in backend.url
        assert request.headers["user-agent"].startswith("libretto-instrument/")
        assert request.headers["accept-encoding"] == "identity"
        assert "cookie" not in request.headers


def test_one_connection(backend, sender):
    """Posts after the first go over the same connection."""
    for _ in range(5):
        assert sender.send(MESSAGE).delivered
    assert backend.connections == 1


def test_close(backend, sender):
    """A closed sender lets go of its connection, and opens another when asked to."""
    assert sender.send(MESSAGE).delivered
    sender.close()
    sender.close()
    assert sender.send(MESSAGE).delivered
    assert backend.connections == 2


def test_closed_by_the_server(backend, sender):
    """A keep-alive connection that the server gave up is replaced."""
    assert sender.send(MESSAGE).delivered
    backend.refuse()
    assert sender.send(MESSAGE).retry
    backend.recover()
    assert sender.send(MESSAGE).delivered


def test_what_a_burst_opened_and_the_server_gave_up(backend):
    """The connection that was idle for longest is let go of, though newer ones do."""
    exchange = connect({"event": Address.parse(backend.urls["event"])})
    line = exchange.lines["event"]
    served = []

    def note(answering):
        served.append(answering.connection)
        answering.respond(200)

    def post(connection):
        headers = [*line.headers, (b"Content-Length", b"2")]
        request = exchange.request(b"POST", line.url, headers=headers, content=b"{}")
        response = connection.handle_request(request)
        assert response.read() == b""
        response.close()
        line.pool.hand_back(connection)

    backend.answer(answers.Answer(note, stores=True))
    first, second = line.pool.take(), line.pool.take()
    post(first)
    post(second)
    assert line.pool.take() is second
    served[0].shutdown(socket.SHUT_RDWR)
    eventually(first.has_expired)
    post(second)
    assert first.is_closed()
    assert line.pool.take() is second

    line.pool.close()
    post(second)
    assert second.is_closed()


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504, 599])
def test_try_again(backend, sender, code):
    """Statuses that may pass are to be tried again."""
    backend.answer(status(code, {"error": "oh"}))
    outcome = sender.send(MESSAGE)
    assert (outcome.delivered, outcome.retry) == (False, True)
    assert (outcome.status, outcome.error) == (code, f"HTTP {code}")
    assert outcome.retry_after is None


def test_retry_after(backend, sender):
    """A server's wish to be left alone is passed on, in both of its forms."""
    backend.answer(status(429, headers={"Retry-After": "7"}))
    assert sender.send(MESSAGE).retry_after == 7
    when = format_datetime(
        datetime.now(timezone.utc) + timedelta(seconds=60), usegmt=True
    )
    backend.answer(status(503, headers={"Retry-After": when}))
    assert 50 < sender.send(MESSAGE).retry_after <= 60


@pytest.mark.parametrize("code", [400, 404, 413, 422])
def test_rejected(backend, sender, code, caplog):
    """Other refusals are final, and said once with the server's reason."""
    backend.answer(status(code, {"error": {"message": "promptEventId is no UUID"}}))
    for _ in range(2):
        outcome = sender.send(MESSAGE)
        assert (outcome.delivered, outcome.retry) == (False, False)
        assert outcome.status == code
    [record] = caplog.records
    assert f"HTTP {code}: promptEventId is no UUID" in record.getMessage()


@pytest.mark.parametrize("code", [401, 403])
def test_wrong_key(backend, sender, code, caplog):
    """A refused key is said once, with the variable's name (failure-modes 31)."""
    backend.answer(status(code, {"message": "no such key: key-123"}))
    assert not sender.send(MESSAGE).retry
    assert not sender.send(MESSAGE).retry
    [record] = caplog.records
    assert "LIBRETTO_API_KEY" in record.getMessage()
    assert "key-123" not in record.getMessage()


def test_redirect(backend, sender, caplog):
    """A redirect is not followed: the key stays where it was meant to go."""
    with Backend() as elsewhere:
        backend.answer(redirect(elsewhere.urls["event"]))
        outcome = sender.send(MESSAGE)
        assert (outcome.delivered, outcome.retry) == (False, False)
        assert elsewhere.received == []
    assert "LIBRETTO_API_PREFIX" in caplog.text


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\x00", b"[" * 5000, b"null", b"x" * 60_000]
)
def test_odd_bodies(backend, sender, body):
    """What is accepted is accepted, whatever is said about it."""
    backend.answer(content(body))
    assert sender.send(MESSAGE).delivered
    assert sender.send(MESSAGE).delivered
    assert backend.connections == 1


@pytest.mark.parametrize("body", [b"x" * 100_000, b'{"error": "' + b"x" * 100_000])
def test_huge_refusal(backend, sender, body, caplog):
    """A refusal is read up to a bound, and quoted up to a smaller one."""
    backend.answer(
        answers.Answer(lambda exchange: exchange.respond(400, body)), times=1
    )
    assert sender.send(MESSAGE).status == 400
    assert len(caplog.text) < 500
    assert sender.send(MESSAGE).delivered


def test_half_an_answer(backend, sender):
    """An answer that breaks off after its status counts by its status."""
    backend.answer(answers.half, times=1)
    assert sender.send(MESSAGE).delivered
    assert sender.send(MESSAGE).delivered


@pytest.mark.parametrize("fault", [answers.cut, answers.garbage])
def test_no_answer(backend, sender, fault):
    """A connection that ends without an answer, or with no HTTP, is tried again."""
    backend.answer(fault, times=1)
    outcome = sender.send(MESSAGE)
    assert outcome.retry
    assert outcome.error == "RemoteProtocolError"
    assert sender.send(MESSAGE).delivered


def test_refused(backend, sender):
    """A closed port is tried again."""
    backend.refuse()
    outcome = sender.send(MESSAGE)
    assert (outcome.retry, outcome.error) == (True, "ConnectError")


def test_hang(backend):
    """A server that never answers is given up."""
    backend.answer(answers.hang)
    sender = HttpSender(backend.urls, timeout=0.1)
    outcome = sender.send(MESSAGE)
    assert (outcome.retry, outcome.error) == (True, "ReadTimeout")
    sender.close()


def test_own_timeout(backend, sender):
    """Whoever has less time than usual gets less."""
    backend.answer(answers.hang)
    started = monotonic()
    assert sender.send(MESSAGE, timeout=0.3).retry
    assert monotonic() - started < 4
    assert sender.send(MESSAGE, timeout=-1).retry


def test_slow(backend, sender):
    """A slow answer is waited for."""
    backend.answer(slow(0.2))
    assert sender.send(MESSAGE).delivered


def test_drip(backend):
    """A body that comes a byte at a time is not waited for to its end."""
    backend.answer(answers.drip, times=1)
    sender = HttpSender(backend.urls, timeout=0.2)
    assert sender.send(MESSAGE).delivered
    assert sender.send(MESSAGE).delivered
    sender.close()


def test_endless(backend, sender):
    """An endless body is read up to a bound."""
    backend.answer(answers.endless, times=1)
    assert sender.send(MESSAGE).delivered
    assert sender.send(MESSAGE).delivered


def test_side_by_side(backend, sender):
    """Several threads post at once, each over a connection of its own."""
    backend.answer(slow(0.3))
    outcomes = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(sender.send(MESSAGE)))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.delivered for outcome in outcomes] == [True] * 5
    assert backend.connections == 5


def test_unknown_kind(sender):
    """A kind without an address is rejected, not tried for ever."""
    outcome = sender.send(Message("gossip", "1", b"{}"))
    assert (outcome.delivered, outcome.retry) == (False, False)


@pytest.mark.parametrize(
    "url", ["", "nonsense", "ftp://host/x", "https://", "http://host:port/", "//h/x"]
)
def test_no_address(url):
    """An address that can't be posted to is refused when it is given."""
    with pytest.raises(ValueError, match="https://host/path"):
        HttpSender({"event": url})


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("http://example.com/x", True),
        ("http://10.0.0.1/x", True),
        ("http://[2001:db8::1]:80/x", True),
        ("https://example.com/x", False),
        ("http://localhost:4620/x", False),
        ("http://api.localhost/x", False),
        ("http://127.3.2.1/x", False),
        ("http://[::1]:4620/x", False),
    ],
)
def test_plain_http(url, exposed, caplog):
    """Plain http to anything but loopback is worth one warning."""
    HttpSender({"event": url, "feedback": url})
    HttpSender({"event": url})
    assert [r.levelno for r in caplog.records] == [logging.WARNING] * exposed


# The environment


def test_proxy(backend, monkeypatch):
    """Posts go through the proxy that the environment names."""
    with Backend(prefix="") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        sender = HttpSender({"event": "http://libretto.localhost:99/event"})
        assert sender.send(MESSAGE).delivered
        sender.close()
        [request] = proxy.received
        assert request.path == "http://libretto.localhost:99/event"
        assert request.headers["host"] == "libretto.localhost:99"


def test_no_proxy(backend, monkeypatch):
    """Hosts that the environment exempts are reached directly."""
    with Backend(prefix="") as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        sender = HttpSender(backend.urls)
        assert sender.send(MESSAGE).delivered
        sender.close()
        assert proxy.received == []
        assert len(backend.events) == 1


@pytest.fixture
def secure(tmp_path):
    """Serve https on loopback, with a certificate that nobody trusts yet."""
    context, certificate = self_signed(tmp_path)
    with Backend(tls=context) as running:
        yield running, certificate


def test_tls_is_verified(secure):
    """A certificate that is not trusted gets no key and no prompt to see."""
    backend, _ = secure
    sender = HttpSender({"event": backend.url.replace("127.0.0.1", "localhost")})
    outcome = sender.send(MESSAGE)
    sender.close()
    assert (outcome.retry, outcome.error) == (True, "ConnectError")
    assert backend.received == []


def test_ca_bundle(secure, monkeypatch):
    """The environment's CA bundle is trusted, for the name it vouches for."""
    backend, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    url = backend.url.replace("127.0.0.1", "localhost")
    sender = HttpSender({"event": url + "/event", "feedback": backend.urls["feedback"]})
    assert sender.send(MESSAGE).delivered
    assert sender.send(Message("feedback", "1", b"{}")).error == "ConnectError"
    sender.close()


# The neighbours


def test_not_watched(backend, sender, monkeypatch):
    """Tools that trace the user's httpx do not see our posts."""
    seen = []

    def trace(wrapped, instance, args, kwargs):
        seen.append(args)
        return wrapped(*args, **kwargs)

    http = sys.modules.get("httpx2") or sys.modules["httpx"]
    for name in ("Client.send", "HTTPTransport.handle_request"):
        owner, attribute = getattr(http, name.split(".")[0]), name.split(".")[1]
        wrapper = wrapt.FunctionWrapper(getattr(owner, attribute), trace)
        monkeypatch.setattr(owner, attribute, wrapper)
    assert sender.send(MESSAGE).delivered
    assert seen == []
    with http.Client() as client:
        client.post(backend.url)
    assert len(seen) == 2


def test_import_is_late():
    """Neither importing the room nor making a sender loads an HTTP library."""
    code = (
        "import sys; from libretto_instrument.delivery import HttpSender;"
        "HttpSender({'event': 'https://example.com/event'});"
        "print([m for m in ('httpx', 'httpx2', 'openai') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_fork_leaves_the_parents_connection(backend, sender):
    """A forked child opens connections of its own."""
    assert sender.send(MESSAGE).delivered
    exchange = sender._exchange
    sender.after_fork_in_child()
    assert sender.send(MESSAGE).delivered
    assert sender._exchange is not exchange
    assert backend.connections == 2
    for line in exchange.lines.values():
        line.pool.close()


def test_silence():
    """A server that accepts and says nothing holds a sender up for its time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/event"
        sender = HttpSender({"event": url}, timeout=0.1)
        assert sender.send(MESSAGE).error == "ReadTimeout"
        sender.close()
