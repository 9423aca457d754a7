"""How much memory this process holds."""

import resource
import sys


def rss() -> int:
    """Return the bytes that are resident: now, or at most so far where that is all
    that the system tells.
    """
    try:
        with open("/proc/self/statm") as statm:
            return int(statm.read().split()[1]) * resource.getpagesize()
    except FileNotFoundError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
