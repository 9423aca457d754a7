"""The ``demo`` command: real calls of openai, recorded, delivered and shown."""

import argparse

from .argtypes import port_number


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add = parser.add_argument
    add("--stay", action="store_true", help="keep the page up until Ctrl-C")
    add("--port", type=port_number, default=0, help="of the page; 0 takes a free one")
    add("--db", help="SQLite file for the events (default: a temporary one)")
    add("--model", help="model to ask (default: one for each kind of call)")


def run(args: argparse.Namespace) -> int:
    """Run the demonstration; return the exit status."""
    from ..demo._demo import run as run_demo

    return run_demo(port=args.port, db=args.db, model=args.model, stay=args.stay)
