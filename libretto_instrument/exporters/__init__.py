"""Exporters: other destinations than Libretto, each with a queue of its own.

install(exporters=[JsonLinesExporter("events.jsonl")])
"""

from ._json_lines import JsonLinesExporter
from ._memory import MemoryExporter
from ._protocol import Exporter, ExportError, ExportRecord

__all__ = [
    "ExportError",
    "ExportRecord",
    "Exporter",
    "JsonLinesExporter",
    "MemoryExporter",
]
