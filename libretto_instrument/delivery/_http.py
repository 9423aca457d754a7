"""The sender that posts to Libretto over HTTP."""

import threading
from collections.abc import Mapping
from time import monotonic, time
from typing import Any

from .._util import errors
from . import _life
from ._address import Address
from ._answer import explain
from ._connections import Exchange, connect
from ._message import Message
from ._retry import parse_retry_after
from ._sender import Outcome

#: So much of an answer is read, in bytes. It tells us nothing but an error's reason.
ANSWER_LIMIT = 64 * 1024


class HttpSender:
    """Posts messages over keep-alive connections, with retries left to others.

    It drives the connections beneath ``httpx.Client``, which costs about a third of the
    CPU and which no other instrumentation watches: our posts must not turn up among
    the user's own requests. What the client would add and we need (pooling, proxies)
    is done here; what it would add and we must not have (redirects) is not.
    """

    def __init__(
        self,
        urls: Mapping[str, str],
        *,
        connect_timeout: float = 5.0,
        timeout: float = 10.0,
    ) -> None:
        """Make a sender that has not connected to anything yet.

        Args:
            urls: The address for each kind of message.
            connect_timeout: For how many seconds to try to connect.
            timeout: How many seconds may pass between two pieces of the request or
                of the answer, and from the first piece of the answer to its last.

        Raises:
            ValueError: If an address is none that can be posted to.
        """
        self._addresses = {kind: Address.parse(url) for kind, url in urls.items()}
        for address in self._addresses.values():
            if address.exposed:
                errors.warn_once(
                    f"delivery.plain:{address.host}",
                    "Events go to Libretto at %s over plain http: prompts and the API "
                    "key can be read on the way. Use an https address.",
                    address.host,
                )
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._patience = time_limits(connect_timeout, timeout)
        self._opening = threading.Lock()
        self._exchange: Exchange | None = None
        self._warm = False
        _life.reset_after_fork(self)

    def send(self, message: Message, timeout: float | None = None) -> Outcome:
        """Post the message once.

        Args:
            message: What to post.
            timeout: Give up after so many seconds, if that is sooner than usual.

        Returns:
            Delivered for any 2xx, whatever the answer's body. To be retried for
            connection errors, time-outs, 408, 429 and 5xx. Rejected for the rest,
            redirects included, with a warning.
        """
        if self._warm:
            return self._post(message, timeout)
        # The first exchange imports one thing after another, up to the codec for the
        # host's name.
        with _life.no_fork.importing:
            outcome = self._post(message, timeout)
        self._warm = outcome.status is not None
        return outcome

    def _post(self, message: Message, timeout: float | None) -> Outcome:
        exchange = self._exchange or self._open()
        line = exchange.lines.get(message.kind)
        if line is None:
            return Outcome(delivered=False, error=f"no address for {message.kind}")
        patience, limit = self._patience, self._timeout
        if timeout is not None:
            # To connect, to be answered and to read the answer each take a share.
            limit = min(limit, max(0.0, timeout) / 3)
            patience = time_limits(min(self._connect_timeout, limit), limit)
        body = message.body
        request = exchange.request(
            b"POST",
            line.url,
            headers=[*line.headers, (b"Content-Length", b"%d" % len(body))],
            content=body,
            extensions=patience,
        )
        connection = line.pool.take()
        try:
            response = connection.handle_request(request)
            answer = _read(response, exchange.failures, limit)
        except exchange.failures as exc:
            return Outcome(delivered=False, retry=True, error=type(exc).__name__)
        finally:
            line.pool.hand_back(connection)
        status = response.status
        if 200 <= status < 300:
            return Outcome(delivered=True, status=status)
        if status in (408, 429) or status >= 500:
            return Outcome(
                delivered=False,
                retry=True,
                status=status,
                error=f"HTTP {status}",
                retry_after=parse_retry_after(_retry_after(response), time()),
            )
        _warn_of_rejection(status, message, answer)
        return Outcome(delivered=False, status=status, error=f"HTTP {status}")

    def close(self) -> None:
        """Close the connections."""
        with self._opening:
            exchange, self._exchange = self._exchange, None
        if exchange is not None:
            for pool in {line.pool for line in exchange.lines.values()}:
                pool.close()

    def after_fork_in_child(self) -> None:
        """Leave the parent's connections to the parent."""
        # Not closed, only let go of: to close them politely would end them for the
        # parent, and their locks may be held by threads that no longer exist.
        self._opening = threading.Lock()
        self._exchange = None

    def _open(self) -> Exchange:
        with self._opening:
            if self._exchange is None:
                self._exchange = connect(self._addresses)
            return self._exchange


def time_limits(connect: float, between: float) -> dict[str, Any]:
    """Return a request's extension that limits it, in seconds."""
    limits = {"connect": connect, "read": between, "write": between}
    return {"timeout": limits}


def _warn_of_rejection(status: int, message: Message, answer: bytes) -> None:
    if status in (401, 403):
        errors.warn_once(
            "delivery.key",
            "Libretto refuses the API key (HTTP %d): nothing is recorded. Check "
            "LIBRETTO_API_KEY, or the api_key given in its place.",
            status,
        )
    elif 300 <= status < 400:
        errors.warn_once(
            "delivery.redirect",
            "Libretto's address answers with a redirect (HTTP %d), which is not "
            "followed. Set LIBRETTO_API_PREFIX to the address it leads to.",
            status,
        )
    else:
        errors.warn_once(
            f"delivery.rejected:{status}",
            "Libretto rejects a message of kind %s (HTTP %d%s). It is not sent again.",
            message.kind,
            status,
            explain(answer, message.body),
        )


def _retry_after(response: Any) -> str | None:
    for name, value in response.headers:
        if name.lower() == b"retry-after":
            return bytes(value).decode("latin-1")
    return None


def _read(response: Any, failures: tuple[type[Exception], ...], limit: float) -> bytes:
    """Read an answer's body as far as it is short, quick and whole.

    A connection whose answer was not read to its end is closed, not used again.
    """
    deadline = monotonic() + limit
    pieces: list[bytes] = []
    size = 0
    try:
        for piece in response.stream:
            pieces.append(piece)
            size += len(piece)
            if size > ANSWER_LIMIT or monotonic() > deadline:
                break
    except failures:
        pass  # The status has come, and it is what counts.
    finally:
        response.close()
    return b"".join(pieces)[:ANSWER_LIMIT]
