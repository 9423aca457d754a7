"""Exporters of a command line's ``--exporter`` options."""

import importlib
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from .._config.config import LibrettoConfig
from .._util.importing import importing_from_working_directory, load_object
from ..exporters import JsonLinesExporter

if TYPE_CHECKING:
    from ..exporters import Exporter

#: The forms of ``--exporter``, for help and errors.
EXPORTER_SPEC_HELP = "[NAME=]jsonl:PATH, [NAME=]otlp:ENDPOINT or MODULE:ATTRIBUTE"


def parse_exporters(named: Sequence[str]) -> "list[Exporter]":
    """Return the exporters of ``--exporter`` options; see ``EXPORTER_SPEC_HELP``.

    Raises:
        ValueError: One can't be understood, found or made, or two have one name.
    """
    exporters = [_parse_exporter(each) for each in named]
    try:
        LibrettoConfig(exporters=exporters)
    except TypeError as exc:
        raise ValueError(str(exc)) from exc
    return exporters


def _parse_exporter(named: str) -> Any:
    kind, found, rest = named.partition(":")
    name, has_name, kind = kind.rpartition("=")
    if not (found and kind and rest) or (has_name and not name):
        raise _error(named, f"give {EXPORTER_SPEC_HELP}")
    options: dict[str, Any] = {"name": name} if has_name else {}
    if kind == "jsonl":
        return JsonLinesExporter(rest, **options)
    if kind == "otlp":
        return _otlp(rest, options)
    if has_name:
        raise _error(named, "an exporter of your own has a name already")
    return _import_exporter(named)


def _error(named: str, reason: str) -> ValueError:
    # Either may quote an address with a password.
    return ValueError(re.sub(r"//\S*@", "//", f"--exporter {named}: {reason}"))


def _import_exporter(named: str) -> Any:
    with importing_from_working_directory():
        try:
            exporter = load_object(named)
        except ValueError as exc:
            raise _error(named, str(exc)) from None
        is_factory = isinstance(exporter, type) or not hasattr(exporter, "export")
        try:
            return exporter() if is_factory and callable(exporter) else exporter
        except Exception as exc:
            problem = f"it can't be made ({type(exc).__name__}: {exc})"
            raise _error(named, problem) from exc


def _otlp(endpoint: str, options: dict[str, Any]) -> Any:
    try:
        # By name: it needs an extra, which need not be installed.
        otel = importlib.import_module("libretto_instrument.otel")
    except ImportError as exc:
        raise ValueError(
            f"an exporter otlp: needs more ({exc}). Run:\n"
            "  pip install 'libretto-instrument[otel]'"
        ) from exc
    return otel.OTLPExporter(endpoint, **options)
