"""The ``serve`` command: the local Libretto."""

import argparse
import os
from pathlib import Path

from .argtypes import port_number

#: The most bytes of a file that holds a secret.
_MAX_SECRET_BYTES = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on")
    add("--port", type=port_number, default=4620, help="0 takes a free one")
    add("--db", default="libretto.db", help="SQLite file for the events")
    add("--retention", metavar="AGE", help="delete older events, such as 30d")
    add("--max-size", metavar="SIZE", help="how large the file may grow, such as 2GB")
    add(
        "--delete-cases",
        action="store_true",
        help="delete calls with a correction or a good rating, too, when they expire",
    )
    add(
        "--api-key",
        metavar="KEY",
        help="the only key that events are taken with; other users of the machine see "
        "it here, but not in LIBRETTO_SERVE_API_KEY or a file",
    )
    add("--api-key-file", metavar="FILE", help="a file with that key")
    add(
        "--token",
        help="what reading takes: as a bearer, or as ?token= in a browser; better in "
        "LIBRETTO_SERVE_TOKEN or a file",
    )
    add("--token-file", metavar="FILE", help="a file with that token")
    add(
        "--allow-host",
        dest="hosts",
        metavar="NAME",
        action="append",
        default=[],
        help="another host name to answer to; may be repeated",
    )


def run(args: argparse.Namespace) -> int:
    """Run the local Libretto until it is stopped; return the exit status."""
    from .. import _collector

    api_key = _find_secret(args.api_key, args.api_key_file, "API_KEY")
    token = _find_secret(args.token, args.token_file, "TOKEN")
    _collector.serve(
        args.host,
        args.port,
        args.db,
        retention=args.retention,
        max_size=args.max_size,
        delete_cases=args.delete_cases,
        api_key=api_key,
        token=token,
        hosts=args.hosts,
    )
    return 0


def _find_secret(value: str | None, file: str | None, name: str) -> str | None:
    """Return a secret of the command line, of a file, or of the environment."""
    if value is not None and file is not None:
        option = name.lower().replace("_", "-")
        raise ValueError(f"give --{option} or --{option}-file, not both")
    if file is not None:
        with Path(file).open("rb") as opened:
            data = opened.read(_MAX_SECRET_BYTES)
        try:
            value = data.decode("utf-8-sig")
        except UnicodeDecodeError as exc:
            raise ValueError(f"{file} is not UTF-8 text") from exc
        if not value.strip():
            raise ValueError(f"{file} is empty")
    if value is None:
        value = os.environ.get(f"LIBRETTO_SERVE_{name}")
    # Programs send a key without the blanks or the newline that a file or a form adds.
    return None if value is None else value.strip()
