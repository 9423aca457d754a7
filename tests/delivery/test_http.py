"""One post to a real server, in each of the ways it can go."""

import logging
import socket
import subprocess
import sys
import threading
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from functools import partial
from time import monotonic

import pytest
import wrapt
from attrs import evolve
from support import backend as answers
from support.backend import Backend, content, redirect, slow, status
from support.proxies import TunnelProxy
from support.tls import self_signed

from libretto_instrument._delivery import HttpTransport, Message
from libretto_instrument._delivery import connection as connection_module
from libretto_instrument._delivery import http as http_module
from libretto_instrument._delivery.endpoint import Endpoint

BODY = b'{"promptEventId": "e1", "apiKey": "key-123"}'


class Sender:
    """A transport, and the address that it posts to unless told otherwise."""

    def __init__(self, url, **options):
        self.transport = HttpTransport(**options)
        self.message = Message("event", "e1", BODY, endpoint=url)

    def send(self, timeout=None, **changes):
        [outcome] = self.transport.send([evolve(self.message, **changes)], timeout)
        return outcome

    def close(self):
        self.transport.close()


@pytest.fixture
def sender_for():
    senders = []

    def make(url, **options):
        senders.append(Sender(url, **options))
        return senders[-1]

    yield make
    for sender in senders:
        sender.close()


@pytest.fixture
def backend():
    with Backend() as running:
        yield running


@pytest.fixture
def sender(backend, sender_for):
    return sender_for(backend.urls["event"], timeout=5)


def test_post(backend, sender):
    """A message arrives at its endpoint, as JSON, with its body intact."""
    for kind, path in answers.PATHS.items():
        body = b'{"a": "\xc3\xa9"}'
        assert sender.send(body=body, kind=kind, endpoint=backend.urls[kind]).delivered
        request = backend.received[-1]
        assert request.path == path
        assert request.body == body
        assert request.headers["content-type"] == "application/json"
        assert request.headers["content-length"] == "11"
        assert request.headers["host"] in backend.url
        assert request.headers["user-agent"].startswith("libretto-instrument/")
        assert request.headers["accept-encoding"] == "identity"
        assert "cookie" not in request.headers


@pytest.mark.parametrize("size", [0, 70_000, 3_000_000])
def test_bodies_of_all_sizes(backend, sender, size):
    """A body of megabytes arrives whole, as an empty one does."""
    for _ in range(2):
        assert sender.send(body=b"x" * size).delivered
    assert [len(request.body) for request in backend.received] == [size, size]
    assert backend.connections == 1


def test_one_connection(backend, sender):
    """Posts after the first go over the same connection."""
    for _ in range(5):
        assert sender.send().delivered
    assert backend.connections == 1


def test_close(backend, sender):
    """A closed sender lets go of its connection, and opens another when asked to."""
    assert sender.send().delivered
    sender.close()
    sender.close()
    assert sender.send().delivered
    assert backend.connections == 2


def test_closed_by_the_server(backend, sender):
    """A keep-alive connection that the server gave up is replaced unnoticed."""
    assert sender.send().delivered
    backend.refuse()
    assert sender.send().retry
    backend.recover()
    assert sender.send().delivered
    backend.refuse()
    backend.recover()
    assert sender.send().delivered


def test_closed_as_the_request_is_sent(backend, sender, monkeypatch):
    """A connection that ends without an answer, though it seemed open, is replaced."""
    monkeypatch.setattr(
        connection_module.Connection, "_is_stale", lambda connection: False
    )
    assert sender.send().delivered
    backend.refuse()
    backend.recover()
    assert sender.send().delivered
    assert len(backend.events) == 2


def test_a_cut_connection_is_tried_once_more_at_most(backend, sender):
    """A server that takes a request and closes gets it twice in one attempt at most."""
    assert sender.send().delivered
    backend.answer(answers.cut)
    assert sender.send().retry
    assert len(backend.received) == 3


def test_idle_for_too_long(backend, sender, monkeypatch):
    """A connection that was idle for long is not used again."""
    assert sender.send().delivered
    monkeypatch.setattr(http_module, "KEEPALIVE_TIMEOUT", 0.0)
    assert sender.send().delivered
    assert backend.connections == 2


@pytest.mark.parametrize("header", [b"Connection: close\r\n", b""])
def test_answers_that_end_the_connection(sender_for, header):
    """HTTP/1.0, and a server that closes, get a new connection for each request."""
    version = b"HTTP/1.1" if header else b"HTTP/1.0"
    answer = version + b" 200 OK\r\nContent-Length: 2\r\n" + header + b"\r\n{}"
    with RawServer(answer, answer) as server:
        sender = sender_for(server.url)
        assert sender.send().delivered
        assert sender.send().delivered


class RawServer:
    """Answers each connection with given bytes, one connection after the other."""

    def __init__(self, *answers):
        self._answers = answers
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/event"

    def __enter__(self):
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def _serve(self):
        for answer in self._answers:
            client, _ = self._listener.accept()
            client.recv(65536)
            try:
                for piece in [answer] if isinstance(answer, bytes) else answer:
                    client.sendall(piece)
            except OSError:
                pass
            client.close()

    def __exit__(self, *exc_info):
        self._listener.close()


CHUNKED = b"HTTP/1.1 400 Bad\r\ntransfer-encoding: Chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:0\r\n\r\n",
            200,
        ),
        (b"HTTP/1.1 204\r\n\r\n", 204),
        (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200),
        (b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}", 200),
        (CHUNKED + b'7;x=y\r\n{"error\r\n8\r\n": "oh"}\r\n0\r\nA: b\r\n\r\n', 400),
        (CHUNKED + b"ffffffffffff\r\nxxx", 400),
        (CHUNKED + b"no size\r\n", 400),
        (CHUNKED + b"-1\r\n\r\n", 400),
        ([b"HTT", b"P/1.1 50", b"3 Down\r\nRetry-", b"After: 9\r\n\r", b"\n"], 503),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000, None),
        (b"HTTP/1.1 103 Hints\r\n\r\n" * 20_000, None),
        (b"SSH-2.0-OpenSSH_9\r\n", None),
        (b"HTTP/2 200\r\n\r\n", None),
        (b"", None),
    ],
)
def test_all_kinds_of_answers(sender_for, answer, code):
    """The status counts, in whatever way the answer is written; what is none, fails."""
    with RawServer(answer) as server:
        outcome = sender_for(server.url, timeout=2).send()
        assert outcome.status == code
        if code is None:
            assert outcome.retry
            assert outcome.is_connection_error
        if code == 503:
            assert outcome.retry_after == 9


@pytest.mark.parametrize("code", [408, 429, 500, 502, 503, 504, 599])
def test_try_again(backend, sender, code):
    """Statuses that may pass are to be tried again."""
    backend.answer(status(code, {"error": "oh"}))
    outcome = sender.send()
    assert (outcome.delivered, outcome.retry) == (False, True)
    assert (outcome.status, outcome.error) == (code, f"HTTP {code}")
    assert outcome.retry_after is None


def test_retry_after(backend, sender):
    """A server's wish to be left alone is passed on, in both of its forms."""
    backend.answer(status(429, headers={"Retry-After": "7"}))
    assert sender.send().retry_after == 7
    when = format_datetime(
        datetime.now(timezone.utc) + timedelta(seconds=60), usegmt=True
    )
    backend.answer(status(503, headers={"Retry-After": when}))
    assert 50 < sender.send().retry_after <= 60


@pytest.mark.parametrize("code", [400, 404, 413, 422])
def test_rejected(backend, sender, code, caplog):
    """Other refusals are final, and logged once, without what the server says."""
    backend.answer(status(code, {"error": {"message": "no key key-123"}}))
    for _ in range(2):
        outcome = sender.send()
        assert (outcome.delivered, outcome.retry) == (False, False)
        assert outcome.status == code
    [record] = caplog.records
    assert f"HTTP {code}" in record.getMessage()
    assert "key-123" not in record.getMessage()


@pytest.mark.parametrize("code", [401, 403])
def test_wrong_key(backend, sender, code, caplog):
    """A refused key is said once, with the variable's name."""
    backend.answer(status(code, {"message": "no such key: key-123"}))
    assert not sender.send().retry
    assert not sender.send().retry
    [record] = caplog.records
    assert "LIBRETTO_API_KEY" in record.getMessage()
    assert "key-123" not in record.getMessage()


def test_redirect(backend, sender, caplog):
    """A redirect is not followed: the key stays where it was meant to go."""
    with Backend() as elsewhere:
        backend.answer(redirect(elsewhere.urls["event"]))
        outcome = sender.send()
        assert (outcome.delivered, outcome.retry) == (False, False)
        assert elsewhere.received == []
    assert "LIBRETTO_API_PREFIX" in caplog.text


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff\x00", b"[" * 5000, b"null", b"x" * 60_000]
)
def test_odd_bodies(backend, sender, body):
    """What is accepted is accepted, whatever is said about it."""
    backend.answer(content(body))
    assert sender.send().delivered
    assert sender.send().delivered
    assert backend.connections == 1


@pytest.mark.parametrize("body", [b"x" * 100_000, b'{"error": "' + b"x" * 100_000])
def test_huge_refusal(backend, sender, body, caplog):
    """A refusal is read up to a bound."""
    backend.answer(
        answers.Answer(lambda exchange: exchange.respond(400, body)), times=1
    )
    assert sender.send().status == 400
    assert len(caplog.text) < 500
    assert sender.send().delivered


def test_half_an_answer(backend, sender):
    """An answer that breaks off after its status counts by its status."""
    backend.answer(answers.half, times=1)
    assert sender.send().delivered
    assert sender.send().delivered


@pytest.mark.parametrize("fault", [answers.cut, answers.garbage])
def test_no_answer(backend, sender, fault):
    """A connection that ends without an answer, or with no HTTP, is tried again."""
    backend.answer(fault, times=1)
    outcome = sender.send()
    assert outcome.retry
    assert outcome.error == "ProtocolError"
    assert sender.send().delivered


def test_refused(backend, sender):
    """A closed port is tried again."""
    backend.refuse()
    outcome = sender.send()
    assert (outcome.retry, outcome.error) == (True, "ConnectionRefusedError")


def test_hang(backend, sender_for):
    """A server that never answers is given up."""
    backend.answer(answers.hang)
    sender = sender_for(backend.urls["event"], timeout=0.1)
    outcome = sender.send()
    assert (outcome.retry, outcome.error) == (True, "TimeoutError")


def test_own_timeout(backend, sender):
    """A shorter time-out of one message holds for it."""
    backend.answer(answers.hang)
    started = monotonic()
    assert sender.send(timeout=0.3).retry
    assert monotonic() - started < 4
    assert sender.send(timeout=-1).retry


def test_slow(backend, sender):
    """A slow answer is waited for."""
    backend.answer(slow(0.2))
    assert sender.send().delivered


def test_drip(backend, sender_for):
    """A body that comes a byte at a time is not waited for to its end."""
    backend.answer(answers.drip, times=1)
    sender = sender_for(backend.urls["event"], timeout=0.2)
    assert sender.send().delivered
    assert sender.send().delivered
    sender.close()


def test_endless(backend, sender):
    """An endless body is read up to a bound."""
    backend.answer(answers.endless, times=1)
    assert sender.send().delivered
    assert sender.send().delivered


def test_side_by_side(backend, sender):
    """Several threads post at once, each over a connection of its own."""
    backend.answer(slow(0.3))
    outcomes = []
    threads = [
        threading.Thread(target=lambda: outcomes.append(sender.send()))
        for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [outcome.delivered for outcome in outcomes] == [True] * 5
    assert backend.connections == 5


def test_no_endpoint(sender):
    """A message without an endpoint is rejected, not retried."""
    outcome = sender.send(endpoint=None)
    assert (outcome.delivered, outcome.retry) == (False, False)


@pytest.mark.parametrize(
    "url",
    [
        *("", "nonsense", "ftp://host/x", "https://", "http://host:port/", "//h/x"),
        *("https://host /x", "https://host/x\n", "http://[::1/x"),
    ],
)
def test_malformed_endpoint(url, sender):
    """A URL that can't be posted to is refused."""
    with pytest.raises(ValueError, match="https://host/path"):
        Endpoint.parse(url)
    assert not sender.send(endpoint=url).retry


@pytest.mark.parametrize(
    ("url", "is_plaintext"),
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
def test_plain_http(url, is_plaintext, sender, caplog, monkeypatch):
    """Plain http to anything but loopback is worth one warning."""
    refuse = partial(_raise, ConnectionRefusedError)
    monkeypatch.setattr(socket, "create_connection", refuse)
    for _ in range(2):
        assert sender.send(endpoint=url).retry
    assert [r.levelno for r in caplog.records] == [logging.WARNING] * is_plaintext


def _raise(error, *args, **kwargs):
    raise error


# The environment


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.mark.parametrize("variable", ["HTTP_PROXY", "http_proxy", "ALL_PROXY"])
def test_http_proxy(sender, monkeypatch, variable):
    """Posts go through the proxy that the environment names, with its password."""
    with Backend(prefix="") as proxy:
        url = proxy.url.replace("http://", "http://me:p%40ss@")
        monkeypatch.setenv(variable, url)
        assert sender.send(endpoint="http://libretto.test:99/event?a=b").delivered
        assert sender.send(endpoint="http://libretto.test:99/event?a=b").delivered
        [request, _] = proxy.received
        assert request.path == "http://libretto.test:99/event?a=b"
        assert request.headers["host"] == "libretto.test:99"
        assert request.headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert proxy.connections == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "libretto.localhost"])
def test_loopback_is_never_reached_by_a_proxy(backend, sender, monkeypatch, host):
    """Events for this machine do not travel to a proxy elsewhere."""
    with Backend(prefix="") as proxy:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        sender.send(endpoint=backend.urls["event"].replace("127.0.0.1", host))
        assert proxy.received == []


def test_no_proxy(sender, monkeypatch):
    """Hosts that the environment exempts are reached directly."""
    with Backend(prefix="") as proxy:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "libretto.invalid")
        assert sender.send(endpoint="http://libretto.invalid/event").retry
        assert proxy.received == []


@pytest.mark.parametrize(
    "proxy", ["socks5://me:secret@127.0.0.1:9", "http://me:secret@127.0.0.1:port"]
)
def test_a_proxy_that_cannot_be_used(sender, monkeypatch, caplog, proxy):
    """It is logged once, without its password, and the event is kept."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    for _ in range(2):
        assert sender.send(endpoint="https://libretto.test/event").retry
    [record] = caplog.records
    assert "proxy" in record.getMessage()
    assert "secret" not in record.getMessage()


@pytest.fixture
def secure(tmp_path):
    """Serve https on loopback, with a certificate that is not trusted."""
    context, certificate = self_signed(tmp_path)
    with Backend(tls=context) as running:
        yield running, certificate


def test_tls_is_verified(secure, sender_for):
    """A certificate that is not trusted gets no key and no prompt to see."""
    backend, _ = secure
    sender = sender_for(backend.urls["event"].replace("127.0.0.1", "localhost"))
    outcome = sender.send()
    assert (outcome.retry, outcome.error) == (True, "SSLCertVerificationError")
    assert backend.received == []


def test_ca_bundle(secure, sender_for, monkeypatch):
    """The environment's CA bundle is trusted, for the name it vouches for."""
    backend, certificate = secure
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    sender = sender_for(backend.urls["event"].replace("127.0.0.1", "localhost"))
    assert sender.send().delivered
    assert sender.send().delivered
    assert backend.connections == 1
    by_number = sender.send(endpoint=backend.urls["event"])
    assert by_number.error == "SSLCertVerificationError"


def test_https_proxy(secure, sender_for, monkeypatch):
    """https goes through a tunnel that the proxy opens for the right password."""
    backend, certificate = secure
    port = int(backend.url.rpartition(":")[2].partition("/")[0])
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    with TunnelProxy(("127.0.0.1", port)) as proxy:
        monkeypatch.setenv("https_proxy", f"http://me:secret@{proxy.netloc}")
        sender = sender_for(f"https://libretto.test:{port}/api/event")
        assert sender.send().delivered
        assert sender.send().delivered
        [head] = proxy.heads
        assert head.startswith(f"CONNECT libretto.test:{port} HTTP/1.1\r\n")
        assert "Proxy-Authorization: Basic bWU6c2VjcmV0\r\n" in head
        assert "key-123" not in head
    assert "proxy-authorization" not in backend.received[0].headers


def test_a_tunnel_that_is_refused(sender, monkeypatch, caplog):
    """A proxy that refuses is named as the reason."""
    with TunnelProxy(("127.0.0.1", 9), "407 Who are you?") as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.netloc)
        outcome = sender.send(endpoint="https://libretto.test/event")
    assert (outcome.retry, outcome.error) == (True, "ProxyError")
    assert "407" in caplog.text


# The neighbours


def test_not_watched(backend, sender, monkeypatch):
    """Tools that trace the user's HTTP client do not see our posts."""
    http = pytest.importorskip("httpx")
    seen = []

    def trace(wrapped, instance, args, kwargs):
        seen.append(args)
        return wrapped(*args, **kwargs)

    for name in ("Client.send", "HTTPTransport.handle_request"):
        owner, attribute = getattr(http, name.split(".")[0]), name.split(".")[1]
        wrapper = wrapt.FunctionWrapper(getattr(owner, attribute), trace)
        monkeypatch.setattr(owner, attribute, wrapper)
    assert sender.send().delivered
    assert seen == []
    with http.Client() as client:
        client.post(backend.url)
    assert len(seen) == 2


def test_no_http_library_is_imported(backend):
    """Posting loads none of the libraries that openai looks for."""
    code = (
        "import sys; from libretto_instrument._delivery import HttpTransport, Message;"
        f"m = Message('event', '1', b'{{}}', endpoint={backend.urls['event']!r});"
        "print(HttpTransport().send([m])[0].delivered, [m for m in sys.modules"
        " if m.startswith(('httpx', 'httpcore', 'openai'))])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "True []"


def test_fork_leaves_the_parents_connection(backend, sender):
    """A forked child opens connections of its own."""
    assert sender.send().delivered
    sender.transport.reset()
    assert sender.send().delivered
    assert backend.connections == 2


def test_silence(sender_for):
    """A server that accepts and says nothing holds a sender up for its time-out."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/event"
        assert sender_for(url, timeout=0.1).send().error == "TimeoutError"


def test_an_answer_that_drips(sender_for):
    """A status line that comes a byte at a time has no more time than another."""
    with RawServer(_drip(b"HTTP/1.1 200 " + b"x" * 100)) as server:
        started = monotonic()
        assert sender_for(server.url, timeout=0.3).send().retry
        assert monotonic() - started < 3


def _drip(data):
    pause = threading.Event()
    for byte in data:
        pause.wait(0.05)
        yield bytes([byte])


@pytest.mark.parametrize("code", [400, 401, 413])
def test_refused_before_all_of_it_was_sent(sender_for, code):
    """A server that answers a large body at its beginning, and closes, is understood:
    what it refuses for good is not sent again and again."""
    body = b"x" * (16 * 2**20)
    answer = f"HTTP/1.1 {code} No\r\nContent-Length: 0\r\n\r\n".encode()
    with RawServer(answer) as server:
        outcome = sender_for(server.url, timeout=10).send(body=body)
    assert (outcome.status, outcome.retry) == (code, False)


def test_a_body_that_is_cut_off(sender_for):
    """A server that closes in the middle of a body, and has said nothing, is tried
    again."""
    with RawServer(b"") as server:
        outcome = sender_for(server.url, timeout=10).send(body=b"x" * (16 * 2**20))
    assert (outcome.status, outcome.retry) == (None, True)
    assert outcome.is_connection_error


def test_the_time_of_the_answer_begins_with_the_answer(sender_for):
    """An interim answer shortens the time that the server has for the answer by
    nothing, however long it has been since."""
    pieces = [b"HTTP/1.1 102 Processing\r\n\r\n"] * 4
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
    with RawServer(_pause([*pieces, answer], 0.7)) as server:
        assert sender_for(server.url, timeout=2).send().delivered


def _pause(pieces, seconds):
    pause = threading.Event()
    for piece in pieces:
        yield piece
        pause.wait(seconds)
