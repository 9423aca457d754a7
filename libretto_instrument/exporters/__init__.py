"""Other places than Libretto for finished reports, each with a queue of its own.

install(exporters=[JsonLinesExporter("events.jsonl")])
"""

from ._protocol import Exporter, ExportError, Report

__all__ = ["ExportError", "Exporter", "Report"]
