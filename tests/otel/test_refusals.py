"""What an exporter says of a receiver that does not take what it is sent."""

import gzip
import logging
import os
import socket
import subprocess
import sys
import time
import tracemalloc
from collections import Counter
from email.utils import formatdate

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceResponse,
)
from support import backend as answers
from support.backend import Answer, Exchange, redirect, status
from support.otlp import Receiver, attributes

from libretto_instrument.exporters import Exporter, ExportError, ExportRecord
from libretto_instrument.otel import OTLPExporter

EVENT = ExportRecord(
    "event", "id", {"promptEventId": "id", "feedbackKey": "key"}, 1.7e9
)
FEEDBACK = ExportRecord("feedback", "key", {"feedback_key": "key", "rating": 1}, 1.7e9)


@pytest.fixture
def exporter(receiver):
    """Yield an exporter that sends spans and feedback to the receiver."""
    made = OTLPExporter(receiver.url, metrics=False, timeout=5)
    yield made
    made.close()


def refusal(exporter: OTLPExporter, *reports: ExportRecord) -> ExportError:
    with pytest.raises(ExportError) as caught:
        exporter.export(reports)
    return caught.value


@pytest.mark.parametrize(
    ("code", "retry"),
    [
        *((code, True) for code in (429, 502, 503, 504)),
        *((code, False) for code in (301, 400, 401, 403, 404, 413, 500)),
    ],
)
def test_a_status(receiver, exporter, code: int, retry: bool) -> None:
    """The statuses that OTLP calls retryable are worth another try, and no others; the
    exporter itself asks once."""
    receiver.answer(status(code, {"said": "no"}))
    refused = refusal(exporter, EVENT)
    assert refused.retry is retry
    assert refused.retry_after is None
    assert str(refused) == f"HTTP {code}"
    assert len(receiver.received) == 1
    receiver.recover()
    exporter.export([EVENT])
    assert len(receiver.spans) == 1


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        ("7", 7, 7),
        ("0.5", 0.5, 0.5),
        ("-3", None, None),
        (None, 25, 30),
        ("soon", None, None),
    ],
)
def test_retry_after(receiver, exporter, header, least, most) -> None:
    """A receiver that says how long to wait is heard, in seconds or by a date."""
    header = header or formatdate(time.time() + 30, usegmt=True)
    receiver.answer(status(429, headers={"Retry-After": header}))
    after = refusal(exporter, EVENT).retry_after
    assert after is least if least is None else least <= after <= most


def test_nobody_listens(receiver, exporter) -> None:
    """A receiver that is down is tried again, and found when it is back."""
    receiver.refuse()
    began = time.monotonic()
    refused = refusal(exporter, EVENT)
    assert refused.retry
    assert "Connection" in str(refused)
    assert time.monotonic() - began < 5
    receiver.recover()
    exporter.export([EVENT])
    assert len(receiver.spans) == 1


def test_a_receiver_that_hangs(receiver) -> None:
    """One attempt takes no longer than the timeout."""
    receiver.answer(answers.hang)
    exporter = OTLPExporter(receiver.url, metrics=False, timeout=0.2)
    refused = refusal(exporter, EVENT)
    assert refused.retry
    assert "Timeout" in str(refused)
    assert len(receiver.received) == 1
    exporter.close()


def test_a_kept_connection_that_was_closed(receiver, exporter) -> None:
    """A connection that the receiver closed meanwhile costs no attempt."""
    exporter.export([EVENT])
    receiver.answer(answers.cut, times=1)
    exporter.export([EVENT])
    assert len(receiver.spans) == 2


def test_headers_follow_nobody(receiver) -> None:
    """A redirection is a refusal: the key in a header goes to no other host."""
    with Receiver() as other:
        receiver.answer(redirect(f"{other.url}/v1/traces"))
        exporter = OTLPExporter(receiver.url, headers={"api-key": "secret"})
        assert not refusal(exporter, EVENT).retry
        assert other.received == []
        assert receiver.received[0].headers["api-key"] == "secret"
        exporter.close()


def _bomb(exchange: Exchange, code: int) -> None:
    exchange.respond(code, BOMB, {"Content-Encoding": "gzip", **HEADERS})


def _endless(exchange: Exchange, code: int) -> None:
    exchange.respond(code, headers=HEADERS, claimed_length=10**12)
    while not exchange.interrupted.is_set():
        exchange.wfile.write(b"x" * 65536)


def _drip(exchange: Exchange, code: int) -> None:
    exchange.respond(code, headers=HEADERS, claimed_length=10**12)
    while not exchange.interrupted.wait(0.02):
        exchange.wfile.write(b"x")
        exchange.wfile.flush()


def _half(exchange: Exchange, code: int) -> None:
    exchange.respond(code, b"x" * 10, HEADERS, claimed_length=100)
    exchange.close_connection = True


#: 50 MB of zeros, packed.
BOMB = gzip.compress(bytes(50_000_000))
HEADERS = {"Content-Type": "application/x-protobuf", "Location": "/elsewhere"}


@pytest.mark.parametrize("code", [200, 307, 400, 503])
@pytest.mark.parametrize("body", [_bomb, _endless, _drip, _half])
def test_a_hostile_answer(receiver, body, code: int) -> None:
    """A body that unpacks to much, never ends, comes a byte at a time or is cut takes
    no memory and no time: what was done with the request, the status says."""
    exporter = OTLPExporter(receiver.url, metrics=False, timeout=0.5)
    exporter.export([EVENT])  # Imports what it needs.
    receiver.answer(Answer(lambda exchange: body(exchange, code)))
    tracemalloc.start()
    try:
        if code == 200:
            exporter.export([EVENT])
        else:
            assert refusal(exporter, EVENT).retry is (code == 503)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        receiver.recover()
        exporter.close()
    assert peak < 5_000_000


def test_a_batch_again(receiver, exporter) -> None:
    """A batch that was given again is done with: the same reports later are sent."""
    receiver.answer(answers.ok, times=1)
    receiver.answer(status(503))
    refusal(exporter, EVENT, FEEDBACK)
    receiver.recover()
    for _ in range(2):
        exporter.export([EVENT, FEEDBACK])
    assert len(receiver.spans) == 2
    assert len(receiver.logs) == 2


def test_half_a_batch(receiver, exporter) -> None:
    """When feedback is refused and the batch is given again, whole or in parts, its
    spans are not sent again."""
    receiver.answer(answers.ok, times=1)
    receiver.answer(status(503))
    assert refusal(exporter, EVENT, FEEDBACK).retry
    receiver.recover()
    # As the delivery does with a batch that was refused.
    exporter.export([EVENT])
    exporter.export([FEEDBACK])
    assert len(receiver.spans) == 1
    assert len(receiver.logs) == 1
    exporter.export([EVENT])
    assert len(receiver.spans) == 2


def test_figures_that_are_refused(receiver, warnings_of) -> None:
    """A receiver of traces alone gets them all the same; one warning says what it does
    not take."""
    receiver.answer(answers.ok, times=1)
    receiver.answer(status(404))
    exporter = OTLPExporter(receiver.url)
    exporter.export([EVENT])
    exporter.close()
    assert len(receiver.spans) == 1
    (said,) = warnings_of.messages
    assert "HTTP 404" in said
    assert "metrics=False" in said


def test_no_word_in_logs(receiver, exporter, caplog, ask, reported) -> None:
    """A refusal is told to the delivery and by no logger; what the application's own
    exporter logs is heard."""
    caplog.set_level(logging.DEBUG)
    with reported() as reports:
        ask("Rumpelstiltskin")
    receiver.answer(status(400, {"error": "Rumpelstiltskin"}))
    refused = refusal(exporter, *reports)
    assert "Rumpelstiltskin" not in str(refused)
    assert refused.__cause__ is None
    assert not [one for one in caplog.records if one.name.startswith("opentelemetry")]
    # At this level openai's own loggers tell the question; older ones are.
    told = [one for one in caplog.records if not one.name.startswith("openai")]
    assert "Rumpelstiltskin" not in "".join(one.getMessage() for one in told)
    logger = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
    logging.getLogger(logger).error("the application's own")
    assert "the application's own" in caplog.messages


def test_partial_success(receiver, exporter, warnings_of) -> None:
    """A receiver's partial rejection is reported in a warning, without
    the receiver's own words, and not sent again."""
    said = ExportTraceServiceResponse()
    said.partial_success.rejected_spans = 3
    said.partial_success.error_message = "Rumpelstiltskin"
    headers = {"Content-Type": "application/x-protobuf"}
    body = said.SerializeToString()
    receiver.answer(Answer(lambda ex: ex.respond(200, body, headers), stores=True))
    exporter.export([EVENT])
    (warning,) = warnings_of.messages
    assert "3 (rejected_spans)" in warning
    assert "Rumpelstiltskin" not in warning
    assert len(receiver.received) == 1


def test_an_answer_of_no_kind(receiver, exporter, warnings_of) -> None:
    """A success is a success, whatever is in the answer."""
    headers = {"Content-Type": "application/x-protobuf"}
    receiver.answer(Answer(lambda ex: ex.respond(200, b"\xff", headers), stores=True))
    exporter.export([EVENT])
    assert warnings_of.messages == []


def test_what_cannot_be_told(exporter, receiver) -> None:
    """A report that no span can be made of is refused for good, so that the delivery
    gives the others one by one."""
    refused = refusal(exporter, EVENT, ExportRecord("event", "odd", None, 1.7e9))
    assert not refused.retry
    assert not receiver.received
    exporter.export([EVENT])
    assert len(receiver.spans) == 1


@pytest.mark.parametrize("number", [1, 10])
def test_a_silent_receiver_at_the_end(receiver, number: int) -> None:
    """Receivers that never answer hold up the end of the process for exit_timeout and
    two seconds more, not for as long as an attempt may take, nor for each of them."""
    receiver.answer(answers.ok, times=number)
    receiver.answer(answers.hang)
    code = """
import atexit, sys, time
from libretto_instrument.exporters import ExportRecord
from libretto_instrument.otel import OTLPExporter
atexit.register(lambda: print(time.monotonic() - ended))
exporters = [OTLPExporter(sys.argv[1], timeout=60) for _ in range(int(sys.argv[2]))]
for exporter in exporters:
    exporter.export([ExportRecord("event", "1", {"feedbackKey": "1"}, 1.7e9)])
ended = time.monotonic()
"""
    command = [sys.executable, "-c", code, receiver.url, str(number)]
    done = subprocess.run(command, check=True, timeout=50, capture_output=True)
    assert float(done.stdout) < 15
    assert b"Traceback" not in done.stderr
    paths = Counter(request.path for request in receiver.received)
    assert paths == {"/v1/traces": number, "/v1/metrics": number}


def test_it_opens_again(receiver, exporter) -> None:
    """A closed exporter opens again when there is something to send."""
    exporter.export([EVENT])
    exporter.close()
    exporter.close()
    exporter.export([EVENT])
    assert len(receiver.spans) == 2


def test_the_standard_variables(receiver, monkeypatch) -> None:
    """Without an endpoint the standard variables say where to, with which headers, and
    how compressed."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "api-key=secret")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    exporter = OTLPExporter()
    exporter.export([EVENT])
    exporter.close()
    assert attributes(receiver.spans[0])["libretto.event_id"] == "id"
    traces, metrics = receiver.received
    assert (traces.path, metrics.path) == ("/v1/traces", "/v1/metrics")
    assert traces.headers["api-key"] == "secret"
    assert traces.headers["content-encoding"] == "gzip"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"endpoint": "collector:4318"}, "http"),
        ({"endpoint": "http://collector:4318/v1/traces"}, "without /v1/traces"),
        ({"endpoint": "http://["}, "endpoint"),
        ({"timeout": 0}, "above 0"),
    ],
)
def test_mistakes_are_told_early(wrong, said) -> None:
    """What cannot be sent to is refused when the exporter is made."""
    with pytest.raises(ValueError, match=said):
        OTLPExporter(**wrong)


def test_it_is_an_exporter() -> None:
    """It has what the delivery asks of exporters; making one connects nowhere, and its
    repr tells no header."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        made = OTLPExporter(url, headers={"api-key": "secret"}, name="collector")
        assert isinstance(made, Exporter)
        assert made.name == "collector"
        assert "secret" not in repr(made)
        made.close()


def test_what_is_missing_is_told() -> None:
    """Without OpenTelemetry's packages, the import says what to install."""
    code = """
import sys
sys.modules["opentelemetry.exporter.otlp.proto.http._log_exporter"] = None
try:
    import libretto_instrument.otel
except ImportError as exc:
    print(exc)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "libretto-instrument[otel]" in done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
def test_a_forked_child(receiver) -> None:
    """A forked child sends what it records on a connection of its own, and counts in
    its figures its own calls alone."""
    code = """
import os, sys
from libretto_instrument.exporters import ExportRecord
from libretto_instrument.otel import OTLPExporter
exporter = OTLPExporter(sys.argv[1])
def send(name):
    body = {"promptEventId": name, "feedbackKey": name, "responseTime": 1}
    exporter.export([ExportRecord("event", name, body, 1.7e9)])
send("parent")
pid = os.fork()
if not pid:
    send("child")
    exporter.close()
    os._exit(0)
assert os.waitpid(pid, 0)[1] == 0
exporter.close()
"""
    subprocess.run([sys.executable, "-c", code, receiver.url], check=True, timeout=60)
    names = [attributes(span)["libretto.event_id"] for span in receiver.spans]
    assert names == ["parent", "child"]
    sent = [one for one in receiver.received if one.path == "/v1/metrics"]
    assert len(sent) == 2
    (point,) = receiver.metrics[
        "gen_ai.client.operation.duration"
    ].histogram.data_points
    assert point.count == 1
    assert receiver.connections >= 4
