"""The built-in redactor as a part of the library: extra, imports, word lists."""

import json
import subprocess
import sys

import pytest

from libretto_instrument.redaction import Entity, Redactor, default_redactor
from libretto_instrument.redaction.names.lexicon import lexicon


@pytest.mark.parametrize("missing", ["phonenumbers", "stdnum"])
def test_missing_extra(missing):
    """Without the extra, the error names the line that installs it."""
    code = f"""
import sys
sys.modules[{missing!r}] = None
from libretto_instrument.redaction import default_redactor
try:
    default_redactor()
except ImportError as exc:
    print(exc)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert "pip install 'libretto-instrument[pii]'" in done.stdout


def test_imports_and_network():
    """The package imports nothing heavy until it is asked, and no network at all."""
    code = """
import json, socket, sys

def refused(*args, **kwargs):
    raise AssertionError("the network was touched")

socket.socket.connect = socket.getaddrinfo = socket.gethostbyname = refused
import libretto_instrument.redaction as package
heavy = ("phonenumbers", "stdnum", "openai", "httpx", "presidio_analyzer")
early = [name for name in heavy if name in sys.modules]
found = package.default_redactor().redact("jane@example.com https://example.com/x")
late = [name for name in heavy if name in sys.modules]
print(json.dumps([early, found, late]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    early, found, late = json.loads(done.stdout)
    assert early == []
    assert found == "<EMAIL_ADDRESS> <URL>"
    assert late == ["phonenumbers", "stdnum"]


def test_protocol(redactor):
    """The built-in redactor is a `Redactor`, and what it finds is a `Entity`."""
    assert isinstance(redactor, Redactor)
    assert list(redactor.analyze("to jane@example.com")) == [
        Entity(3, 19, "EMAIL_ADDRESS")
    ]
    assert default_redactor() == redactor


def test_word_lists():
    """The lists decode to whole words, each in the list where it belongs."""
    words = lexicon()
    assert {"margaret", "jose", "priya"} <= words.given
    assert {"smith", "garcia", "nguyen"} <= words.surnames
    assert {"the", "thank", "customer"} <= words.words
    assert {"berlin", "france"} <= words.places
    assert not words.given & words.rare_given
    for names in (words.given, words.rare_given, words.surnames, words.words):
        assert all(name.isascii() and name.isalpha() for name in names)
