"""The table of settings: everything that a setting touches follows it."""

import importlib
import inspect
from pathlib import Path

import attrs
import pytest

import libretto_instrument as libretto
from libretto_instrument import LibrettoConfig, LibrettoCreateParams
from libretto_instrument._config import environment
from libretto_instrument._config.config import CallFields, ConfigFields, ScopeFields
from libretto_instrument._config.fields import (
    CALL_FIELDS,
    CLIENT_FIELDS,
    FIELDS,
    SCOPE_FIELDS,
)
from libretto_instrument._config.settings import CallSettings, DeliveryOptions


def names_of(kind: type) -> set[str]:
    """Return the attributes of an attrs class, or the keys of a TypedDict."""
    if attrs.has(kind):
        return {attribute.name for attribute in attrs.fields(kind)}
    return {
        name for base in kind.__mro__ for name in vars(base).get("__annotations__", ())
    }


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (LibrettoConfig, CLIENT_FIELDS),
        (ConfigFields, CLIENT_FIELDS),
        (LibrettoCreateParams, CALL_FIELDS),
        (CallFields, CALL_FIELDS),
        (ScopeFields, SCOPE_FIELDS),
    ],
)
def test_classes_follow_the_table(kind: type, fields: tuple[str, ...]) -> None:
    """What a client, a call and a scope take is what the table says."""
    assert names_of(kind) == set(fields)


def test_every_setting_reaches_a_call() -> None:
    """Each setting has its place in a call's settings, with the table's default."""
    for name, spec in FIELDS.items():
        if name == "parent_event_id":  # given as chain_id
            continue
        holder = DeliveryOptions() if spec.is_delivery else CallSettings()
        assert getattr(holder, name) == spec.default


def test_each_setting_is_documented() -> None:
    """The docstrings of both classes name each of their settings."""
    for kind in (LibrettoConfig, LibrettoCreateParams):
        text = inspect.getdoc(kind) or ""
        assert [name for name in names_of(kind) if f"    {name}:" not in text] == []


def test_the_documentation_has_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the documentation shows of each setting is what the table says."""
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "tools")
    tool = importlib.import_module("build_settings")
    for name, build in tool.PAGES.items():
        assert (tool.TABLES / name).read_text("utf-8") == build(), tool.__doc__


@pytest.mark.parametrize("blank", ["{}\n", " {}", "\t{} \r\n"])
@pytest.mark.parametrize(
    ("variable", "value", "name"),
    [
        ("LIBRETTO_API_KEY", "key", "api_key"),
        ("LIBRETTO_TEMPLATE_NAME", "answer", "prompt_template_name"),
        ("LIBRETTO_SPOOL_DIR", "/var/spool/libretto", "spool_dir"),
    ],
)
def test_blanks_around_a_variable(
    blank: str, variable: str, value: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blanks and line breaks around a value are removed."""
    monkeypatch.setenv(variable, blank.format(value))
    assert environment.load_environment() == {name: value}


@pytest.mark.parametrize("blank", ["{}\n", " {}", "\t{} \r\n"])
def test_blanks_around_an_address(blank: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An address is read without the blanks around it."""
    monkeypatch.setenv("LIBRETTO_API_PREFIX", blank.format("http://127.0.0.1:1/api"))
    assert environment.endpoint_urls()["event"] == "http://127.0.0.1:1/api/event"


@pytest.mark.parametrize(
    "url",
    [
        "https://app..getlibretto.com/api",
        "https://.example.com",
        "https://-a.example",
        "https://ex ample.com",
        "https://example.com/a\nb",
        "https://exam\x00ple.com",
        "http://127.0.0.999/api",
        "http://1.2.3/api",
        "http://[::1::2]/api",
        "https://example.com:0",
        "https://example.com:65536",
        "https://example.com:https",
        "https://example.com/#api",
        "https://" + "a" * 64 + ".com",
        "ftp://example.com",
        "example.com/api",
        "/api",
    ],
)
@pytest.mark.parametrize("variable", ["LIBRETTO_API_PREFIX", "LIBRETTO_REPORTING_URL"])
def test_an_address_that_cannot_be(
    url: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """install() refuses an impossible address and names the variable."""
    environment_of_process = environment.os.environ
    monkeypatch.setattr(
        environment.os, "environ", {**environment_of_process, variable: url}
    )
    with pytest.raises(ValueError, match=f"^{variable} "):
        libretto.install(api_key="key", prompt_template_name="any")


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/api",
        "http://127.0.0.1:4620/api/",
        "http://[::1]:4620",
        "http://libretto_relay:80/api",
        "https://user:secret@gateway.example.com./libretto?tenant=1",
        "https://bücher.example/api",
    ],
)
def test_an_address_that_can_be(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts by name, by number, with credentials, and in other scripts are accepted."""
    monkeypatch.setenv("LIBRETTO_REPORTING_URL", url)
    assert environment.endpoint_urls()["event"] == url


def test_a_relative_spool_is_found_where_it_was_given(
    tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative directory is resolved when it is given."""
    monkeypatch.chdir(tmp_path)
    config = LibrettoConfig(spool_dir="spool")
    monkeypatch.setenv("LIBRETTO_SPOOL_DIR", "other")
    found = environment.load_environment()
    monkeypatch.chdir("/")
    assert config.spool_dir == str(tmp_path / "spool")
    assert found == {"spool_dir": str(tmp_path / "other")}


@pytest.mark.parametrize("value", [b"spool", "", "spo\0ol", "spool\n"])
def test_a_spool_that_cannot_be(value) -> None:
    """A path that names no directory is refused where it is given."""
    with pytest.raises((TypeError, ValueError), match=r"^spool_dir must"):
        LibrettoConfig(spool_dir=value)


def test_a_key_is_masked_where_variables_are_shown() -> None:
    """A tool that shows the local variables of a traceback shows no key."""
    config = LibrettoConfig(api_key="sk-very-secret", project_key="pk-very-secret")
    params = LibrettoCreateParams(api_key="sk-very-secret")
    for shown in (config, config.set_fields(), params.set_fields(), [config.api_key]):
        assert "very-secret" not in repr(shown)
    assert f"{config.api_key}" == config.api_key == "sk-very-secret"
