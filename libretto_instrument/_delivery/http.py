"""The transport that posts to Libretto over HTTP."""

import contextlib
import time
from collections import deque
from collections.abc import Sequence

from .._util import errors
from .._util.clock import monotonic
from .connection import Connection, ProxyError, Response
from .endpoint import Endpoint
from .message import Message
from .retry import parse_retry_after
from .transport import Outcome

#: A connection that was idle for longer is not used again, in seconds.
KEEPALIVE_TIMEOUT = 30.0
_MAX_ENDPOINTS = 64
#: An attempt takes no longer than this, in seconds, however large the message.
_MAX_SECONDS = 120.0


class HttpTransport:
    """Posts each message to its endpoint, once; retries are left to others.

    Connections are kept alive, and idle ones shared by all threads: of each URL there
    are as many as threads that send to it at a time. No redirect is followed, and
    nothing compressed is asked for.

    Attributes:
        max_batch: 1.
        max_concurrency: At most this many threads send at a time.
    """

    max_batch = 1

    def __init__(
        self,
        *,
        connect_timeout: float = 5.0,
        timeout: float = 10.0,
        max_concurrency: int = 8,
    ) -> None:
        """Make a transport that has not connected to anything yet.

        Args:
            connect_timeout: Seconds to connect.
            timeout: Seconds that may pass without a byte sent or received, and from the
                first byte of the answer to its last.
            max_concurrency: At most this many threads send at a time.
        """
        self.max_concurrency = max_concurrency
        self._connect_timeout = connect_timeout
        self._timeout = timeout
        self._idle: dict[str, deque[Connection]] = {}
        self._epoch = 0
        self.reset()

    def reset(self) -> None:
        """Forget the connections: this is a child, and they are its parent's."""
        # To close a descriptor here ends nothing there.
        self.close()
        # By URL, the one used last at the end. Each step on a deque is atomic.
        self._idle = {}

    def send(
        self, messages: Sequence[Message], timeout: float | None = None
    ) -> Sequence[Outcome]:
        """Post each message once.

        Returns:
            Delivered for any 2xx, whatever the answer's body. To be retried for
            connection errors, time-outs, 408, 429 and 5xx. Rejected for the rest,
            redirects included, with a warning.
        """
        return [self._post(message, timeout) for message in messages]

    def close(self) -> None:
        """Close the connections, those in use as soon as they are not."""
        self._epoch += 1
        for idle in list(self._idle.values()):
            while idle:
                try:
                    idle.pop().close()
                except IndexError:
                    break

    def _post(self, message: Message, timeout: float | None) -> Outcome:
        url = message.endpoint
        if url is None:
            return Outcome(delivered=False, error=f"no endpoint for {message.kind}")
        epoch = self._epoch
        try:
            connection = self._acquire(url)
        except ValueError:
            return Outcome(delivered=False, error="malformed endpoint")
        limit = _MAX_SECONDS if timeout is None else min(timeout, _MAX_SECONDS)
        try:
            response = connection.request("POST", message.body, monotonic() + limit)
        except (OSError, ValueError) as exc:
            _warn_if_misconfigured(exc)
            return Outcome(
                delivered=False,
                retry=True,
                error=type(exc).__name__,
                is_connection_error=True,
            )
        finally:
            if epoch == self._epoch:
                self._release(url, connection)
            else:
                connection.close()
        return _judge(response, message)

    def _acquire(self, url: str) -> Connection:
        idle = self._idle.get(url)
        while idle:
            try:
                connection = idle.pop()
            except IndexError:  # Another thread was faster.
                break
            if monotonic() - connection.used_at < KEEPALIVE_TIMEOUT:
                return connection
            connection.close()
        endpoint = Endpoint.parse(url)
        if endpoint.is_plaintext:
            errors.warn_once(
                f"delivery.plain:{endpoint.host}",
                "Events go to Libretto at %s over plain http: prompts and the API key "
                "can be read on the way. Use an https address.",
                endpoint.host,
            )
        if len(self._idle) >= _MAX_ENDPOINTS:
            self.reset()
        return Connection(endpoint, self._connect_timeout, self._timeout)

    def _release(self, url: str, connection: Connection) -> None:
        if not connection.is_reusable:
            return
        idle = self._idle.setdefault(url, deque())
        idle.append(connection)
        # What a burst opened is closed when it is no longer needed.
        if len(idle) > 1 and monotonic() - idle[0].used_at > KEEPALIVE_TIMEOUT:
            with contextlib.suppress(IndexError):
                idle.popleft().close()


def _judge(response: Response, message: Message) -> Outcome:
    status = response.status
    if 200 <= status < 300:
        return Outcome(delivered=True, status=status)
    if status in (408, 429) or status >= 500:
        after = parse_retry_after(response.headers.get("retry-after"), time.time())
        return Outcome(
            delivered=False,
            retry=True,
            status=status,
            error=f"HTTP {status}",
            retry_after=after,
        )
    _warn_rejected(status, message)
    return Outcome(delivered=False, status=status, error=f"HTTP {status}")


def _warn_if_misconfigured(exc: Exception) -> None:
    # The message names a proxy at most, and never its password.
    if isinstance(exc, (ProxyError, ValueError)):
        errors.warn_once(
            f"delivery.proxy:{exc}",
            "Events can't be sent by the proxy that the environment names: %s.",
            exc,
        )


def _warn_rejected(status: int, message: Message) -> None:
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
            "Libretto rejects a message of kind %s (HTTP %d). It is not sent again.",
            message.kind,
            status,
        )
