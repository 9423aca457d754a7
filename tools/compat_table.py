"""Keeps what the suite came to on one set of versions, and prints all such results.

    python tools/compat_table.py .nox/compat/NAME

NAME.xml is what pytest, run by this interpreter, wrote as ``--junitxml``. The exit
status is 1 if a test failed.
"""

import json
import platform
import sys
from collections import Counter
from importlib.metadata import version
from pathlib import Path
from xml.etree import ElementTree


def main() -> int:
    """Write the result beside the report, and print the table of its folder."""
    result = Path(sys.argv[1])
    counts = _count(Path(f"{result}.xml"))
    versions = [platform.python_version(), version("openai"), version("wrapt")]
    result.write_text(json.dumps([*versions, *counts]))
    print("| Python | openai | wrapt | passed | failed | skipped |")
    print("|---|---|---|---:|---:|---:|")
    for path in sorted(result.parent.glob("*")):
        if path.suffix != ".xml":
            print(f"| {' | '.join(map(str, json.loads(path.read_text())))} |")
    _, failed, _ = counts
    return 1 if failed else 0


def _count(report: Path) -> tuple[int, int, int]:
    """Return how many tests passed, failed and were skipped."""
    found: Counter[str] = Counter()
    for case in ElementTree.parse(report).iter("testcase"):
        ends = {child.tag for child in case} & {"failure", "error", "skipped"}
        is_skipped = ends == {"skipped"}
        found["skipped" if is_skipped else "failed" if ends else "passed"] += 1
    return found["passed"], found["failed"], found["skipped"]


if __name__ == "__main__":
    sys.exit(main())
