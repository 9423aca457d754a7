"""Runs openai's own test suite bare, recorded and annotated, and compares.

    python openai_suite.py SUITE

``SUITE`` is the folder of openai's source distribution, of the version installed. Ends
with status 1 if any test passes bare and fails recorded. What fails only with
responses annotated is listed: snapshots that print the documented key.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from example_server import examples

#: The parts that concern what is patched; what a version does not have is left out.
PARTS = (
    "tests/api_resources/beta/test_responses.py",
    "tests/api_resources/chat",
    "tests/api_resources/responses",
    "tests/api_resources/test_completions.py",
    "tests/api_resources/test_decisions.py",
    "tests/api_resources/test_responses.py",
    "tests/compat",
    "tests/lib/chat",
    "tests/lib/responses",
    "tests/lib/test_azure*.py",
    "tests/lib/test_old_api.py",
    "tests/lib/test_responses_*.py",
    "tests/lib/test_*runner*.py",
    "tests/lib/test_streaming_deltas.py",
    "tests/test_client*.py",
    "tests/test_consumer_compatibility.py",
    "tests/test_debug_logging.py",
    "tests/test_decision*.py",
    "tests/test_httpx*.py",
    "tests/test_large_payload_contract.py",
    "tests/test_lazy_imports.py",
    "tests/test_legacy_response.py",
    "tests/test_module_client.py",
    "tests/test_request_body_routing_order.py",
    "tests/test_required_args.py",
    "tests/test_response*.py",
    "tests/test_retry_after_overflow.py",
    "tests/test_sse_framing.py",
    "tests/test_status_error_messages.py",
    "tests/test_stream_mode.py",
    "tests/test_streaming.py",
)

Outcomes = dict[str, str]


def run(suite: Path, url: str, mode: str, tests: list[str]) -> tuple[Outcomes, int]:
    """Run tests in one mode; return their outcomes and the number of events."""
    with tempfile.TemporaryDirectory() as folder:
        outcomes = Path(folder, "outcomes.json")
        subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                *("-p", "suite_plugin", "-p", "no:cacheprovider", "-n", "0", "-q"),
                *("--inline-snapshot=disable", "--tb=no", "--durations=0", "-r", "N"),
                *tests,
            ],
            cwd=suite,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parent),
                "LIBRETTO_SUITE": mode,
                "LIBRETTO_OUTCOMES": str(outcomes),
                "TEST_API_BASE_URL": url,
            },
            stdout=subprocess.DEVNULL,
            check=False,
        )
        done = json.loads(outcomes.read_text("utf-8"))
        return done["outcomes"], done["events"]


def passed(outcomes: Outcomes) -> set[str]:
    return {name for name, outcome in outcomes.items() if outcome == "passed"}


def broken(suite: Path, url: str, mode: str, bare: set[str]) -> list[str]:
    """Return the tests that pass bare and do not in ``mode``, flaky ones left out."""
    parts = [str(p.relative_to(suite)) for part in PARTS for p in suite.glob(part)]
    outcomes, events = run(suite, url, mode, parts)
    print(f"{mode}: {len(passed(outcomes))} passed, {events} calls recorded")
    if not events:
        sys.exit("Nothing was recorded, so nothing was shown.")
    suspects = sorted(bare - passed(outcomes))
    if not suspects:
        return []
    again = passed(run(suite, url, "bare", suspects)[0])
    return sorted(again - passed(run(suite, url, mode, suspects)[0]))


def main() -> int:
    suite = Path(sys.argv[1])
    with examples() as url:
        parts = [str(p.relative_to(suite)) for part in PARTS for p in suite.glob(part)]
        outcomes, _ = run(suite, url, "bare", parts)
        bare = passed(outcomes)
        print(f"bare: {len(bare)} of {len(outcomes)} passed")
        recorded = broken(suite, url, "recorded", bare)
        annotated = broken(suite, url, "annotated", bare)
    for mode, names in (("recorded", recorded), ("annotated", annotated)):
        print(f"{mode}: {len(names)} broken")
        for name in names:
            print(f"  {name}")
    return 1 if recorded else 0


if __name__ == "__main__":
    sys.exit(main())
