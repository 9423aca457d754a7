"""What the benchmarks share.

This runs inside the virtual environments of other libraries, too, so it needs nothing
but openai and the standard library; hence dataclasses, where the library has attrs.
"""
