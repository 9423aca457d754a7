"""Keeps each ``--`` of a program's command line, which argparse would drop."""

#: Stands for ``--`` meanwhile. No argument of a process can contain a NUL.
DASHES = "\0--"


def protect_dashes(argv: list[str]) -> list[str]:
    """Return a command line of ``run`` in which argparse keeps each ``--``."""
    if argv[:1] != ["run"]:
        return argv
    return [DASHES if argument == "--" else argument for argument in argv]
