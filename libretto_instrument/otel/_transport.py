"""The HTTP session of OpenTelemetry's exporters, and their results as exceptions.

These exporters retry on the calling thread and report a failure without its reason. The
delivery has its own retries, bounds and counters, so they get a session that tries once
and remembers the error.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import time
from typing import Any

import requests
from opentelemetry import context

from .._delivery.retry import parse_retry_after
from .._util import errors
from .._util.clock import monotonic
from ..exporters import ExportError

#: The statuses that OTLP calls retryable.
_RETRYABLE = frozenset((429, 502, 503, 504))

#: Where a request has no time-out, in seconds.
_TIMEOUT = 10.0

#: Longer responses are not read, in bytes.
_MAX_RESPONSE_BYTES = 65_536

_LOGGERS = ("trace_exporter", "_log_exporter", "metric_exporter")


class _ExportFailedError(Exception):
    """Ends the exporter's own attempts: it retries no exception unknown to it."""


class HttpSession(requests.Session):
    """Posts once, follows no redirect, and remembers the error.

    Attributes:
        error: The error of the last request; None if it succeeded.
        response_body: The body of the last successful response, if in protobuf.
        timeout: Maximum duration of a request in seconds, if less than its own.
    """

    def __init__(self) -> None:
        super().__init__()
        self.error: ExportError | None = None
        self.response_body = b""
        self.timeout: float | None = None

    def send(self, request: Any, **kwargs: Any) -> requests.Response:
        """Send a prepared request, as `requests.Session` does.

        Raises:
            _ExportFailedError: There was no response, or none with a 2xx status.
        """
        self.error, self.response_body = None, b""
        kwargs.update(allow_redirects=False, stream=True)
        request.headers["Accept-Encoding"] = "identity"
        if self.timeout is not None:
            kwargs["timeout"] = self.timeout
        try:
            response = self._post(request, kwargs)
        except (OSError, ValueError) as exc:
            # A wrong certificate or address may be repaired later.
            self.error = ExportError(type(exc).__name__)
            raise _ExportFailedError(type(exc).__name__) from None
        body = _read_body(response, monotonic() + (kwargs.get("timeout") or _TIMEOUT))
        if not 200 <= response.status_code < 300:
            status = f"HTTP {response.status_code}"
            self.error = ExportError(
                status,
                retry=response.status_code in _RETRYABLE,
                retry_after=parse_retry_after(
                    response.headers.get("Retry-After"), time()
                ),
            )
            raise _ExportFailedError(status)
        if response.headers.get("Content-Type") == "application/x-protobuf":
            self.response_body = body
        return response

    def get_redirect_target(self, resp: requests.Response) -> None:
        """Return None: a key in a header must not follow a redirect to another host.

        `requests` would also read, without a bound, the body of a redirect that it does
        not follow.
        """

    def _post(self, request: Any, kwargs: dict[str, Any]) -> requests.Response:
        try:
            return super().send(request, **kwargs)
        except requests.Timeout:
            raise
        except requests.ConnectionError:
            # A kept connection may have been closed by the other side meanwhile.
            return super().send(request, **kwargs)


def _read_body(response: requests.Response, deadline: float) -> bytes:
    """Return a response's body; empty if it is too long, too late, or compressed."""
    raw, body = response.raw, b""
    # Versions of urllib3 without read1() wait for as many bytes as are asked for.
    read, size = getattr(raw, "read1", raw.read), _MAX_RESPONSE_BYTES
    if not hasattr(raw, "read1"):
        size = 1
    try:
        while len(body) <= _MAX_RESPONSE_BYTES and monotonic() < deadline:
            part = read(size, decode_content=False)
            if not part:  # At the end the connection went back to the pool.
                encoding = response.headers.get("Content-Encoding", "identity")
                return body if encoding == "identity" else b""
            body += part
    except Exception:  # What the receiver did with the request, the status says.
        pass
    response.close()
    return b""


class SignalExporter:
    """Wraps one of OpenTelemetry's exporters and raises its errors."""

    def __init__(self, exporter: Any, session: HttpSession, answer: Any) -> None:
        """Take an exporter, the session that it was made with, and the kind of answer
        that it gets."""
        self._exporter = exporter
        self._session = session
        self._answer = answer

    def send(self, batch: Any) -> None:
        """Send what the exporter takes.

        Raises:
            ExportError: The export failed, for good if the batch can't be encoded.
        """
        self._session.error = None
        problem = "could not be encoded"
        with suppress_telemetry():
            try:
                taken = self._exporter.export(batch).name == "SUCCESS"
            except Exception as exc:
                taken, problem = False, type(exc).__name__
        if not taken:
            # Without the cause: it may hold a part of what was to be sent.
            raise self._session.error or ExportError(problem, retry=False) from None
        self._warn_partial_success()

    def _warn_partial_success(self) -> None:
        """Warn of what the receiver rejected in a successful request."""
        try:
            partial_success = self._answer.FromString(
                self._session.response_body
            ).partial_success
        except Exception:
            return  # The request succeeded, whatever the response is.
        for field, value in partial_success.ListFields():
            # Its message is left out: it may quote what was sent.
            if isinstance(value, int):
                errors.warn(
                    f"otlp.{field.name}",
                    "The OTLP receiver took a request, and rejected of it: %d (%s).",
                    value,
                    field.name,
                )

    def close(self) -> None:
        """Close the connections."""
        with suppress_telemetry():
            self._exporter.shutdown()


@contextmanager
def suppress_telemetry() -> Iterator[None]:
    """Keep requests in the block out of the program's own traces and logs.

    An instrumented HTTP client makes no spans of our requests, and OpenTelemetry's
    exporters do not log at each attempt what `stats()` says.
    """
    suppressed = context.get_current()
    for name in ("_SUPPRESS_INSTRUMENTATION_KEY", "_SUPPRESS_HTTP_INSTRUMENTATION_KEY"):
        key = getattr(context, name, None)
        if key is not None:
            suppressed = context.set_value(key, True, suppressed)
    for name in _LOGGERS:
        # Adding it once more does nothing.
        logging.getLogger(f"opentelemetry.exporter.otlp.proto.http.{name}").addFilter(
            _is_heard
        )
    token = context.attach(suppressed)
    hidden = _hidden.set(True)
    try:
        yield
    finally:
        _hidden.reset(hidden)
        context.detach(token)


_hidden: ContextVar[bool] = ContextVar("libretto_otlp_hidden", default=False)


def _is_heard(record: logging.LogRecord) -> bool:
    return not _hidden.get()
