"""How much of a labelled set is found, and how much of what is found is right."""

import importlib.util
import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark, which knows the goals and how to count."""
    path = ROOT / "benchmarks" / "pii.py"
    if not path.exists():
        pytest.skip("the benchmarks are not part of this distribution")
    spec = importlib.util.spec_from_file_location("pii_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_goals(benchmark, redactor):
    """Recall and precision are at least what each entity is promised."""
    path = Path(os.environ.get("LIBRETTO_PII", benchmark.DATA))
    if not path.exists():
        pytest.skip("there is no labelled set here; LIBRETTO_PII names one")
    rows = benchmark.read(path)
    scores = benchmark.scored(rows, benchmark.ours(redactor, rows))
    for entity, (recall, precision) in benchmark.GOALS.items():
        assert scores[entity].recall >= recall, entity
        assert scores[entity].precision >= precision, entity


def test_counting(benchmark):
    """A entity counts by entity and overlap, for recall and for precision."""
    rows = [benchmark.Labelled("Ann met Bob", [(0, 3, "PERSON"), (8, 11, "PERSON")])]
    scores = benchmark.scored(
        rows, [[(2, 5, "PERSON"), (4, 7, "PERSON"), (8, 11, "URL")]]
    )
    assert scores["PERSON"].recall == 50
    assert scores["PERSON"].precision == 50
    assert scores["URL"].precision == 0
