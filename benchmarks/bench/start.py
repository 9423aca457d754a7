"""The time and memory that it takes to start a library, in a fresh process.

Printed is one line of JSON; see `main`.
"""

import argparse
import gc
import json
from time import process_time

import openai

from . import canned
from .cases import CASES
from .libraries import LIBRARIES
from .memory import rss

#: Memory in use after this many calls counts as permanent.
_CALLS = 300


def main() -> None:
    """Measure the library that the command line says, and print it.

    The JSON has, in CPU seconds from openai's import on, ``start`` (to the library's
    being installed) and ``first`` (to the first client's being ready for a call), and
    ``rss``, the bytes of memory after some calls and their delivery.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("library", choices=LIBRARIES)
    parser.add_argument("sink")
    wanted = parser.parse_args()

    case = CASES["chat"]
    began = process_time()
    switched = LIBRARIES[wanted.library].switch_on(wanted.sink, case.mode)
    start = process_time() - began
    client = switched.wrap(canned.client(case.answer))
    _ = client.chat.completions  # openai loads its modules when they are asked for.
    first = process_time() - began
    for _ in range(_CALLS):
        client.chat.completions.create(**case.request())
    switched.flush()
    gc.collect()
    print(
        json.dumps(
            {
                "start": start,
                "first": first,
                "rss": rss(),
                "openai": openai.__version__,
            }
        )
    )


if __name__ == "__main__":
    main()
