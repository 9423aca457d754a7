"""The command that shows what would be redacted."""

import io

from libretto_instrument._cli.redact import redact_command

TEXT = "Dear Margaret,\ncall 415-555-2671 or\n415-555-2672.\n"


def run(text, colour):
    """Run the command and return what it wrote."""
    out = io.StringIO()
    assert redact_command(io.StringIO(text), out, colour) == 0
    return out.getvalue()


def test_plain():
    """Without colour the redacted text comes out, and nothing else."""
    assert run(TEXT, colour=False) == (
        "Dear <PERSON>,\ncall <PHONE_NUMBER> or\n<PHONE_NUMBER>.\n"
    )


def test_colour():
    """With colour each entity is shown, highlighted and named, and all are counted."""
    shown = run(TEXT, colour=True)
    assert "\x1b[1;37;41mMargaret\x1b[0m<PERSON>," in shown
    assert shown.endswith("\nFound: 2 PHONE_NUMBER, 1 PERSON.\n")


def test_colour_of_lines():
    """A entity of several lines is highlighted line by line."""
    shown = run("-----BEGIN PRIVATE KEY-----\nMIIE", colour=True)
    assert shown.count("\x1b[0m") == 2


def test_nothing_found():
    """A text with nothing personal in it is shown as it is, and the command says so."""
    assert run("All is well.", colour=True) == "All is well.\n\nNothing found.\n"
    assert run("All is well.", colour=False) == "All is well."
