"""A local Libretto: takes what programs report, and shows it.

It speaks the wire contract and knows nothing of the client: whatever posts events to
it will do. An extra: ``pip install 'libretto-instrument[collector]'``.
"""

_NEEDED = ("jinja2", "rapidfuzz", "starlette", "uvicorn")

try:
    from .server import RunningServer, create_app, running, serve
except ModuleNotFoundError as exc:
    if str(exc.name).partition(".")[0] not in _NEEDED:
        raise
    raise ModuleNotFoundError("pip install 'libretto-instrument[collector]'") from exc

__all__ = ["RunningServer", "create_app", "running", "serve"]
