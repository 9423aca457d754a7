"""Argument types that several commands share."""

import argparse
import math


def port_number(text: str) -> int:
    """Parse a port number; 0 means any free port."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"invalid port {number}: must be 0 to 65535")
    return number


def non_negative_seconds(text: str) -> float:
    """Parse a duration in seconds."""
    number = float(text)
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(
            f"invalid duration {text}: must be a number of seconds, 0 or more"
        )
    return number


def fraction(text: str) -> float:
    """Parse a number between 0 and 1."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(
            f"invalid fraction {text}: must be between 0 and 1"
        )
    return number
