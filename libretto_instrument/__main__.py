"""Run the command line as ``python -m libretto_instrument``."""

import sys

from ._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
