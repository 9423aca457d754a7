"""What `chaos.py` breaks, and what it breaks it with."""
