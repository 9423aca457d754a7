"""Fixtures that the tests of all packages share."""

import gc
import logging
import signal
from collections.abc import AsyncIterator, Iterator

import openai
import pytest
from hypothesis import settings
from support.backend import Backend
from support.scripted import DEADLINE, ScriptedModel

import libretto_instrument
from libretto_instrument._config import environment
from libretto_instrument._util import errors
from libretto_instrument.demo import OfflineModel, offline_model
from libretto_instrument.testing import CapturedEvents, capture_events

# How long an example takes is not the suite's business: the machine may be busy.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")


def pytest_collection_finish() -> None:
    """Leave what the suite is made of out of the collections of garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _no_certificates(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Spare each client the reading of certificates, which takes longer than its test.

    Nothing here speaks TLS.
    """
    with pytest.MonkeyPatch.context() as patched:
        patched.delenv("SSL_CERT_FILE", raising=False)
        patched.setenv("SSL_CERT_DIR", str(tmp_path_factory.mktemp("certificates")))
        yield


@pytest.fixture(scope="session", autouse=True)
def _interruptible() -> None:
    """Let what the tests start be interrupted, also if they run in the background.

    A shell starts those with SIGINT ignored, which their children inherit.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _pristine(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Start each test with nothing installed, and let no swallowed fault pass."""
    ours = environment
    own = (variable for variable, _ in ours.ENDPOINT_ENV_VARS.values())
    for name in (ours.API_PREFIX_ENV_VAR, *ours.ENV_VARS.values(), *own):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(errors, "reraise", True)
    errors.reset()
    yield
    libretto_instrument.uninstall()
    libretto_instrument.shutdown(timeout=1)
    errors.reset()


@pytest.fixture
def lenient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Swallow faults of ours, as in production."""
    monkeypatch.setattr(errors, "reraise", False)


@pytest.fixture(scope="session")
def model() -> Iterator[OfflineModel]:
    """Yield a real HTTP server that answers like OpenAI's API."""
    with offline_model() as running:
        yield running


@pytest.fixture
def client(model: OfflineModel) -> Iterator[openai.OpenAI]:
    """Yield a bare client of the offline model."""
    with openai.OpenAI(
        api_key="sk-test", base_url=model.base_url, max_retries=0
    ) as bare:
        yield bare


@pytest.fixture
def events() -> Iterator[CapturedEvents]:
    """Yield the events of every client's calls, recorded in memory."""
    with capture_events() as captured:
        yield captured


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    """Yield a Libretto on loopback, which the environment says is the one to tell."""
    with Backend() as running:
        monkeypatch.setenv("LIBRETTO_API_PREFIX", running.url)
        yield running


@pytest.fixture
def warnings_of(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Return the log, with everything that the library says."""
    caplog.set_level(logging.DEBUG, logger="libretto_instrument")
    return caplog


@pytest.fixture
def collect() -> Iterator[None]:
    """Collect garbage before and after, so that finalizers run inside the test."""
    gc.collect()
    yield
    gc.collect()


@pytest.fixture
def server() -> Iterator[ScriptedModel]:
    """Yield a model whose answers the test writes."""
    with ScriptedModel() as scripted:
        yield scripted


@pytest.fixture
def scripted(server: ScriptedModel) -> Iterator[openai.OpenAI]:
    """Yield a client of the scripted model."""
    with openai.OpenAI(
        api_key="sk-test", base_url=server.url, max_retries=0, timeout=DEADLINE
    ) as made:
        yield made


@pytest.fixture
async def ascripted(server: ScriptedModel) -> AsyncIterator[openai.AsyncOpenAI]:
    """Yield an async client of the scripted model."""
    async with openai.AsyncOpenAI(
        api_key="sk-test", base_url=server.url, max_retries=0, timeout=DEADLINE
    ) as made:
        yield made
