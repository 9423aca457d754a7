"""OpenTelemetry: recorded calls as spans, and the delivery counters as metrics.

    libretto.install(exporters=[OTLPExporter("http://collector:4318")])

It needs the extra ``otel``.
"""

try:
    from ._exporter import OTLPExporter
    from ._observe import observe
except ModuleNotFoundError as exc:
    if (exc.name or "").partition(".")[0] not in ("opentelemetry", "requests"):
        raise
    raise ImportError(
        "libretto_instrument.otel needs OpenTelemetry's SDK and its OTLP/HTTP "
        "exporter. Run: pip install 'libretto-instrument[otel]'"
    ) from exc

__all__ = ["OTLPExporter", "observe"]
