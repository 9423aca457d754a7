"""Switching the instrumentor on and off, and waiting for its delivery."""

import functools
import threading
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from .. import _capture
from .._config.config import (
    ConfigFields,
    LibrettoConfig,
    build_config,
    get_client_config,
    set_client_config,
)
from .._util import errors
from .state import runtime

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from .._delivery import Stats

_lock = threading.RLock()
#: By identity: clients need not be hashable.
_attached: "weakref.WeakValueDictionary[int, Any]" = weakref.WeakValueDictionary()
_attached_last: LibrettoConfig | None = None
_MARK = "_libretto_attaches"


def install(
    config: LibrettoConfig | None = None, /, **fields: "Unpack[ConfigFields]"
) -> None:
    """Record the calls of every openai client in this process, made before or after.

    Takes effect at once if openai is imported, and on its import otherwise. Calling it
    again replaces the configuration. The environment is read now.

    Args:
        config: The configuration; or give its fields by name.
        **fields: Fields of `LibrettoConfig`, laid over ``config``.

    Raises:
        TypeError: There is no such field, or it has the wrong type.
        ValueError: ``sample_rate`` is outside [0, 1].
        ValueError: A variable holds what it cannot, such as half an address.
        ImportError: ``redact_pii`` needs the extra ``pii``, which is not installed.
    """
    merged = build_config(config, fields)
    runtime.check(merged)
    with _lock:
        runtime.configure(merged)
        runtime.retire_former()
        runtime.resume(None)
        enable()


def uninstall() -> None:
    """Restore openai's methods; what was recorded is still delivered.

    Ends recording for `libretto_openai`'s clients, too, until another is made. A
    wrapper that another library put on top of ours is left in place.
    """
    with _lock:
        _capture.unpatch()
        runtime.forget()
        _attached.clear()


def installed() -> bool:
    """Say whether `install()` is in force."""
    return _capture.is_patched() and runtime.records_all_clients


def attach(client: Any, config: LibrettoConfig | None = None) -> None:
    """Record the calls of one client, whether or not anything is installed.

    It also holds for the client's copies: those of ``copy()`` and ``with_options()``.

    Args:
        client: An openai client, sync or async.
        config: What holds for its calls.

    Raises:
        TypeError: ``client`` is not an openai client, or ``config`` not a
            `LibrettoConfig`.
    """
    global _attached_last
    _check_client(client)
    merged = build_config(config, {})
    runtime.check(merged)
    with _lock:
        _set_config(client, merged)
        # Copies by with_options(), one a request in some programs, change nothing.
        if merged is not _attached_last or not _capture.is_patched():
            _attached_last = merged
            runtime.configure()
            runtime.resume(merged)
            enable()


def _check_client(client: Any) -> None:
    # By name: openai may not be imported, and a proxy has the class of its client.
    kinds = getattr(client.__class__, "__mro__", ())
    if not any(
        kind.__name__ in ("SyncAPIClient", "AsyncAPIClient")
        and kind.__module__.startswith("openai.")
        for kind in kinds
    ):
        raise TypeError(
            "attach() takes an openai client, such as openai.OpenAI(), not "
            f"{type(client).__name__}. A framework's model object usually holds one."
        )


def _set_config(client: Any, config: LibrettoConfig) -> None:
    """Set a client's configuration, and let its copies have it."""
    set_client_config(client, config)
    _attached[id(client)] = client
    for name in ("copy", "with_options"):
        if not hasattr(getattr(client, name, None), _MARK):
            setattr(client, name, _wrap_copy(client, getattr(client, name)))


def _wrap_copy(client: Any, method: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(method)
    def copy_attached(*args: Any, **kwargs: Any) -> Any:
        made = method(*args, **kwargs)
        try:
            config = get_client_config(client)
            if config is not None and get_client_config(made) is None:
                _set_config(made, config)
        except Exception as exc:
            errors.log_internal_error(exc, "install.copy")
        return made

    setattr(copy_attached, _MARK, True)
    return copy_attached


def flush(timeout: float = 5.0) -> bool:
    """Wait until everything recorded so far is delivered.

    Call it at the end of a function-as-a-service handler, where background threads
    stand still between invocations. Streams whose loops were left are taken to be over.

    Args:
        timeout: Longest wait, in seconds.

    Returns:
        True if all of it was delivered; False if the time was up or something was lost.
    """
    return runtime.flush(timeout)


def shutdown(timeout: float = 5.0) -> bool:
    """Deliver what was recorded so far, and stop the background threads.

    Runs by itself at the end of the process. Calls recorded later start them again.

    Args:
        timeout: Longest wait, in seconds; what is left then is dropped.

    Returns:
        True if all of it was delivered.
    """
    return runtime.shutdown(timeout)


def stats() -> "Stats":
    """Return what became of everything recorded in this process."""
    return runtime.deliveries.stats()


def in_use() -> bool:
    """Return whether any client's calls are to be recorded."""
    return runtime.records_all_clients or bool(_attached)


def enable() -> None:
    """Patch openai, now or on its import."""
    runtime.finalize_streams = _capture.finalize_streams
    _capture.patch(runtime)
