"""The adapter for Presidio."""

import sys

import pytest

from libretto_instrument.redaction import BodyRedactor, Entity, Redactor
from libretto_instrument.redaction.presidio import PresidioRedactor


class Result:
    """A result in the shape of Presidio's ``RecognizerResult``."""

    def __init__(self, start, end, entity_type):
        self.start, self.end, self.entity_type = start, end, entity_type


class Engine:
    """An engine in the shape of Presidio's, too large a thing for most test runs."""

    def analyze(self, text, language, **options):
        self.asked = (language, options)
        at = text.find("Jane Doe")
        if at < 0:
            return []
        return [Result(at + 5, at + 8, "NRP"), Result(at, at + 8, "PERSON")]


def test_adapter():
    """What Presidio finds is replaced, overlapping entities as one."""
    engine = Engine()
    redactor = PresidioRedactor(engine, language="es", entities=["PERSON"])
    assert isinstance(redactor, Redactor)
    assert redactor.analyze("it is Jane Doe.") == [Entity(6, 14, "PERSON")]
    assert redactor.redact("it is Jane Doe.") == "it is <PERSON>."
    assert engine.asked == ("es", {"entities": ["PERSON"], "score_threshold": None})


def test_adapter_on_a_body():
    """A Presidio engine redacts whole bodies as the built-in one does."""
    redacted = BodyRedactor(PresidioRedactor(Engine())).redact(
        {"response": "Jane Doe", "params": {"n": 4, "who": '{"a":"Jane Doe"}'}}
    )
    assert redacted == {
        "response": "<PERSON>",
        "params": {"n": 4, "who": '{"a":"<PERSON>"}'},
    }


def test_missing_presidio(monkeypatch):
    """Without Presidio and without an engine, the error says what to install."""
    monkeypatch.setitem(sys.modules, "presidio_analyzer", None)
    with pytest.raises(ImportError, match="pip install presidio-analyzer"):
        PresidioRedactor()


def test_real_presidio():
    """A real Presidio engine with a pattern recogniser works behind the adapter."""
    presidio = pytest.importorskip(
        "presidio_analyzer", reason="Presidio is not installed"
    )
    spacy = pytest.importorskip("spacy")
    from presidio_analyzer.nlp_engine import SpacyNlpEngine

    class Blank(SpacyNlpEngine):
        def __init__(self):
            super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
            self.nlp = {"en": spacy.blank("en")}

    registry = presidio.RecognizerRegistry(supported_languages=["en"])
    pattern = presidio.Pattern("badge", r"B-\d{4}", 0.9)
    registry.add_recognizer(
        presidio.PatternRecognizer(supported_entity="BADGE", patterns=[pattern])
    )
    engine = presidio.AnalyzerEngine(
        registry=registry, nlp_engine=Blank(), supported_languages=["en"]
    )
    assert PresidioRedactor(engine).redact("badge B-1234") == "badge <BADGE>"
