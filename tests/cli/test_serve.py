"""The options of the serve command."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("starlette", reason="the extra 'collector' is not installed")

from libretto_instrument import _collector
from libretto_instrument._cli.main import main


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Return what the collector would be started with."""
    calls: list[dict[str, Any]] = []
    monkeypatch.setattr(
        _collector, "serve", lambda *_, **options: calls.append(options)
    )
    monkeypatch.setenv("LIBRETTO_SERVE_TOKEN", "from the environment")
    return calls


def test_secrets_come_from_files_and_the_environment(
    served: list[dict[str, Any]], tmp_path: Path
) -> None:
    """A secret on the command line or in a file goes before the environment's."""
    file = tmp_path / "key"
    file.write_text("from a file\n")
    assert main(["serve", "--api-key-file", str(file)]) == 0
    assert main(["serve", "--token-file", str(file), "--api-key", "given"]) == 0
    assert [(call["api_key"], call["token"]) for call in served] == [
        ("from a file", "from the environment"),
        ("given", "from a file"),
    ]


@pytest.mark.parametrize("added", ["\n", "\r\n", " \t"])
def test_what_stands_around_a_secret_is_no_part_of_it(
    served: list[dict[str, Any]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    added: str,
) -> None:
    """Blanks, line ends and a byte order mark are not, wherever the secret is from."""
    file = tmp_path / "key"
    file.write_text(f"\ufefffrom a file{added}", "utf-8")
    monkeypatch.setenv("LIBRETTO_SERVE_TOKEN", f"from the environment{added}")
    assert main(["serve", "--api-key-file", str(file)]) == 0
    assert main(["serve", "--api-key", f"given{added}"]) == 0
    assert [(call["api_key"], call["token"]) for call in served] == [
        ("from a file", "from the environment"),
        ("given", "from the environment"),
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--token", "t", "--token-file", "{tmp}/key"], "not both"),
        (["--token-file", "{tmp}/none"], "No such file"),
        (["--token-file", "{tmp}/empty"], "is empty"),
        (["--api-key-file", "{tmp}/binary"], "binary is not UTF-8"),
    ],
)
def test_what_is_no_secret_is_named(
    served: list[dict[str, Any]],
    tmp_path: Path,
    options: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A file that is not there or empty is reported, and nothing is started."""
    (tmp_path / "empty").touch()
    (tmp_path / "binary").write_bytes(b"\xff\xfe" * 20)
    (tmp_path / "key").write_text("k")
    assert main(["serve", *(each.format(tmp=tmp_path) for each in options)]) == 2
    assert message in capsys.readouterr().err
    assert served == []


@pytest.mark.parametrize("option", ["--retention", "--max-size"])
@pytest.mark.parametrize("value", ["", " ", "30"])
def test_a_bound_that_is_none(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A bound that says nothing is refused: everything would be kept."""
    words = ("--port", "0", "--db", str(tmp_path / "libretto.db"))
    assert main(["serve", *words, option, value]) == 2
    assert f"invalid {'size' if 'size' in option else 'duration'}" in (
        capsys.readouterr().err
    )
