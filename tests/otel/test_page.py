"""The page of the documentation: its code runs, and its tables are whole."""

import re
from pathlib import Path

import libretto_instrument as libretto
from libretto_instrument._delivery import Stats
from libretto_instrument._runtime.metrics import collect_metrics
from libretto_instrument.otel import _attributes

PAGE = (Path(__file__).parents[2] / "docs" / "opentelemetry.md").read_text("utf-8")


def test_its_code_runs(model, backend, receiver, monkeypatch) -> None:
    """What the page says to write works, in order, and brings calls, a chain and
    feedback to the receiver."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", model.base_url)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
    names: dict[str, object] = {}
    for block in re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE):
        exec(compile(block, "opentelemetry.md", "exec"), names)
    assert libretto.flush(20)
    assert [span.name for span in receiver.spans] == ["chat gpt-5.4-mini"]
    assert len(receiver.logs) == 1
    # In whatever order several workers deliver them.
    events = [event for event in backend.events if "context" in event]
    checkout, chained = sorted(events, key=lambda event: "chainId" in event)
    assert checkout["context"].keys() == {"trace_id", "span_id"}
    assert chained["chainId"].replace("-", "") == chained["context"]["trace_id"]


def test_every_attribute_is_told() -> None:
    """Each attribute that the code knows is on the page, by its last words."""
    source = Path(_attributes.__file__).read_text("utf-8")
    names = set(re.findall(r'"((?:gen_ai|openai|libretto)\.[a-z_.]+)"', source))
    assert len(names) > 30
    for name in names:
        short = "." + name.split(".", 2)[-1]
        assert f"`{name}`" in PAGE or f"`{short}`" in PAGE, name


def test_every_figure_is_told() -> None:
    """Each figure of the library's own is on the page."""
    for metric in collect_metrics(Stats(), []):
        name = metric.name.replace("spool_", "spool.")
        short = metric.name.replace("spool_", "")
        assert f"`libretto.{name}`" in PAGE or f"`.{short}`" in PAGE
