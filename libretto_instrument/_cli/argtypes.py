"""Kinds of arguments that several commands take; each tells what it is not."""

import argparse
import math

__all__ = ["port", "seconds", "share"]


def port(text: str) -> int:
    """Read the number of a port; 0 stands for any that is free."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is no port: give 0 to 65535")
    return number


def seconds(text: str) -> float:
    """Read a number of seconds."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text} is no time: give seconds, 0 or more")
    return number


def share(text: str) -> float:
    """Read a share, from 0 to 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is no share: give 0 to 1")
    return number
