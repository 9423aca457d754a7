"""Other libraries, each as its own documentation sets it up.

Each sends in the background, by default and to the sink. What a library only does for
development (printing spans) is switched off, in its favour.
"""

# Each is imported in an environment of its own, not in the one that mypy sees.
# mypy: disable-error-code="import-not-found, attr-defined"

import atexit
import os
import shutil
import tempfile
from collections.abc import Mapping
from typing import Any

from .library import KEY, Library, Switched


def _libretto_openai(sink: str, mode: str) -> Switched:
    os.environ["LIBRETTO_API_PREFIX"] = sink
    import asyncio

    from libretto_openai import Client, LibrettoConfig, background

    async def idle() -> None:
        queue, me = background._send_event_queue, asyncio.current_task()
        while not queue.empty():
            await asyncio.sleep(0)
        # The first task is the one that takes from the queue, and never ends.
        _, *sending = sorted(asyncio.all_tasks() - {me}, key=_number)
        await asyncio.gather(*sending)

    def _number(task: Any) -> int:
        return int(task.get_name().removeprefix("Task-"))

    def flush() -> None:
        loop = background._send_event_loop
        if loop is not None:
            asyncio.run_coroutine_threadsafe(idle(), loop).result(60)

    def wrap(client: Any) -> Any:
        return Client(
            libretto=LibrettoConfig(api_key=KEY, prompt_template_name="bench"),
            api_key=client.api_key,
            base_url=client.base_url,
            max_retries=client.max_retries,
            http_client=client._client,
        )

    return Switched(flush, wrap)


def _opentelemetry(sink: str) -> Any:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"{sink}/v1/traces")
    provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _openinference(sink: str, mode: str) -> Switched:
    from openinference.instrumentation.openai import OpenAIInstrumentor

    provider = _opentelemetry(sink)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return Switched(provider.force_flush)


def _openllmetry(sink: str, mode: str) -> Switched:
    from opentelemetry.instrumentation.openai import OpenAIInstrumentor

    provider = _opentelemetry(sink)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return Switched(provider.force_flush)


def _langfuse(sink: str, mode: str) -> Switched:
    os.environ.update(
        LANGFUSE_PUBLIC_KEY=KEY,
        LANGFUSE_SECRET_KEY=KEY,
        LANGFUSE_HOST=sink,
        LANGFUSE_BASE_URL=sink,
    )
    import langfuse
    import langfuse.openai

    return Switched(langfuse.get_client().flush)


def _langsmith(sink: str, mode: str) -> Switched:
    os.environ.update(
        LANGSMITH_TRACING="true", LANGSMITH_ENDPOINT=sink, LANGSMITH_API_KEY=KEY
    )
    from langsmith.run_trees import get_cached_client
    from langsmith.wrappers import wrap_openai

    return Switched(get_cached_client().flush, wrap_openai)


def _logfire(sink: str, mode: str) -> Switched:
    import logfire

    logfire.configure(
        token=KEY,
        send_to_logfire=True,
        console=False,
        inspect_arguments=False,
        advanced=logfire.AdvancedOptions(base_url=sink),
    )
    logfire.instrument_openai()
    return Switched(logfire.force_flush)


def _genai_openai(sink: str, mode: str) -> Switched:
    # Content is what the others record, too.
    os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_only"
    from opentelemetry.instrumentation.genai.openai import OpenAIInstrumentor

    provider = _opentelemetry(sink)
    OpenAIInstrumentor().instrument(tracer_provider=provider)
    return Switched(provider.force_flush)


def _ddtrace(sink: str, mode: str) -> Switched:
    os.environ.update(
        DD_API_KEY=KEY,
        DD_SITE="datadoghq.com",
        DD_TRACE_ENABLED="true",
        DD_APM_TRACING_ENABLED="false",
        DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
        DD_REMOTE_CONFIGURATION_ENABLED="false",
        DD_LLMOBS_OVERRIDE_ORIGIN=sink,
    )
    from ddtrace.llmobs import LLMObs

    LLMObs.enable(ml_app="bench", agentless_enabled=True, integrations_enabled=False)
    from ddtrace import patch

    patch(openai=True)
    return Switched(LLMObs.flush)


def _braintrust(sink: str, mode: str) -> Switched:
    os.environ.update(
        BRAINTRUST_API_KEY=KEY, BRAINTRUST_APP_URL=sink, BRAINTRUST_API_URL=sink
    )
    import braintrust

    logger = braintrust.init_logger(project="bench", project_id="bench")
    return Switched(logger.flush, braintrust.wrap_openai)


def _mlflow(sink: str, mode: str) -> Switched:
    # To a database beside it: its server is a program of its own.
    folder = tempfile.mkdtemp(prefix="bench-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    os.environ["MLFLOW_ENABLE_ASYNC_TRACE_LOGGING"] = "true"
    import mlflow

    mlflow.set_tracking_uri(f"sqlite:///{folder}/mlflow.db")
    mlflow.create_experiment("bench", artifact_location=folder)
    mlflow.set_experiment("bench")
    mlflow.openai.autolog()
    return Switched(lambda: mlflow.flush_trace_async_logging(terminate=False))


_OTLP = ("opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http")

PEERS: Mapping[str, Library] = {
    "libretto-openai": Library(("libretto-openai==1.1.3",), _libretto_openai),
    "openinference-instrumentation-openai": Library(
        ("openinference-instrumentation-openai", *_OTLP), _openinference
    ),
    "langfuse": Library(("langfuse",), _langfuse),
    "opentelemetry-instrumentation-openai": Library(
        ("opentelemetry-instrumentation-openai", *_OTLP), _openllmetry
    ),
    "langsmith": Library(("langsmith",), _langsmith),
    "logfire": Library(("logfire",), _logfire),
    "opentelemetry-instrumentation-genai-openai": Library(
        ("opentelemetry-instrumentation-genai-openai>=1.0b0", *_OTLP), _genai_openai
    ),
    "ddtrace": Library(("ddtrace",), _ddtrace),
    "braintrust": Library(("braintrust",), _braintrust),
    "mlflow": Library(("mlflow",), _mlflow, posts=False),
}
