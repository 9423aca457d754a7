"""Write the documentation's tables of settings from the table that the code follows.

python tools/build_settings.py            write them
python tools/build_settings.py --check    fail if they are not what would be written
"""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

from libretto_instrument._config.environment import (
    API_PREFIX_ENV_VAR,
    DEFAULT_API_PREFIX,
    ENDPOINT_ENV_VARS,
)
from libretto_instrument._config.fields import FIELDS, Field

TABLES = Path(__file__).parent.parent / "docs" / "_tables"

#: What an endpoint takes, by its kind.
_TAKES = {
    "event": "events go",
    "feedback": "feedback goes",
    "chain": "results of chains go",
}


def settings_table() -> str:
    """Return each setting, where it may be set, and what it is."""
    head = "setting|call|scope|client, `install()`|variable, option|default|what it is"
    rows = (
        (
            f"`{name}`",
            *(("•" if where else "") for where in (field.call, field.scope)),
            "•" if field.client else "",
            ", ".join(f"`{each}`" for each in (field.variable, field.option) if each),
            _format_default(field),
            field.summary + (" (merged key by key)" if field.is_merged else ""),
        )
        for name, field in FIELDS.items()
    )
    return _table(head.split("|"), rows)


def variables_table() -> str:
    """Return each environment variable and what it says."""
    rows = [
        (f"`{field.variable}`", f"`{name}`: {field.summary}")
        for name, field in FIELDS.items()
        if field.variable
    ]
    prefix = f"what all addresses begin with; `{DEFAULT_API_PREFIX}` unless set"
    rows.append((f"`{API_PREFIX_ENV_VAR}`", prefix))
    for kind, (variable, path) in ENDPOINT_ENV_VARS.items():
        rows.append(
            (f"`{variable}`", f"where {_TAKES[kind]}; the prefix + `{path}` unless set")
        )
    return _table(["variable", "what it sets"], rows)


def _format_default(field: Field) -> str:
    default = field.default
    if isinstance(default, bool):
        return f"`{default}`"
    if isinstance(default, float) and default.is_integer():
        default = int(default)
    return f"{default:,}" if isinstance(default, int | float) else ""


def _table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


PAGES = {"settings.md": settings_table, "variables.md": variables_table}


def main() -> int:
    """Write the tables, or check them; return the exit status."""
    parser = argparse.ArgumentParser(description="Write the tables of settings.")
    parser.add_argument("--check", action="store_true", help="write nothing")
    wanted = parser.parse_args()
    status = 0
    for name, build in PAGES.items():
        path = TABLES / name
        if not wanted.check:
            path.write_text(build(), "utf-8")
        elif not path.exists() or path.read_text("utf-8") != build():
            print(f"{path.name} is out of date: run tools/build_settings.py")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
