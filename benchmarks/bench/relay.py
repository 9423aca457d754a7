"""A relay, in a process of its own: sends what others write to a spool.

Ends when its standard input does, and the spool is empty.
"""

import argparse
import sys
import threading


def main() -> None:
    """Send what is in the directory that the command line says."""
    from libretto_instrument._config import endpoints
    from libretto_instrument.delivery import HttpSender
    from libretto_instrument.delivery.durable import Spool, relay

    parser = argparse.ArgumentParser()
    parser.add_argument("directory")
    wanted = parser.parse_args()
    stop = threading.Event()

    def watch() -> None:
        sys.stdin.read()
        stop.set()

    threading.Thread(target=watch, daemon=True).start()
    if not relay(
        Spool(wanted.directory), HttpSender(endpoints()), stop, drain_timeout=120
    ):
        raise SystemExit("the spool is not empty")


if __name__ == "__main__":
    main()
