"""Redaction by a Presidio ``AnalyzerEngine`` in the place of the built-in engine."""

import importlib
from collections.abc import Sequence
from typing import Any, Protocol

from attrs import field, frozen

from ._entities import Entity, merge_overlapping, replace_entities


class Analyzer(Protocol):
    """What is asked of Presidio's ``AnalyzerEngine``."""

    def analyze(self, text: str, language: str, **options: Any) -> Sequence[Any]:
        """Return results that have ``start``, ``end`` and ``entity_type``."""
        ...


def _default_analyzer() -> Analyzer:
    try:
        presidio = importlib.import_module("presidio_analyzer")
    except ModuleNotFoundError as exc:
        msg = (
            "PresidioRedactor() needs Presidio: pip install presidio-analyzer, "
            "or pass it an analyzer of your own"
        )
        raise ImportError(msg, name=exc.name) from exc
    engine: Analyzer = presidio.AnalyzerEngine()
    return engine


@frozen
class PresidioRedactor:
    """Adapts a Presidio ``AnalyzerEngine`` to what Libretto asks of a redactor.

        LibrettoConfig(redact_pii=True, redactor=PresidioRedactor(AnalyzerEngine()))

    Presidio brings spaCy, and ``AnalyzerEngine()`` fetches a language model when it is
    made; pass an engine that is set up the way you want it.

    Attributes:
        analyzer: The engine; by default a fresh ``AnalyzerEngine()``.
        language: The language of the texts, as Presidio names it.
        entities: The entities to look for; None for all that the engine knows.
        score_threshold: Entities below this confidence, in [0, 1], are left in clear;
            None for the engine's own threshold.
    """

    analyzer: Analyzer = field(factory=_default_analyzer)
    language: str = "en"
    entities: Sequence[str] | None = None
    score_threshold: float | None = None

    def redact(self, text: str) -> str:
        """Return ``text`` with each entity replaced by ``<ENTITY>``."""
        return replace_entities(text, self.analyze(text))

    def analyze(self, text: str) -> Sequence[Entity]:
        """Return what Presidio found, first to last, overlapping entities joined."""
        results = self.analyzer.analyze(
            text=text,
            language=self.language,
            entities=None if self.entities is None else list(self.entities),
            score_threshold=self.score_threshold,
        )
        return merge_overlapping(Entity(r.start, r.end, r.entity_type) for r in results)
