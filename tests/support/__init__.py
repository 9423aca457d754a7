"""Real parts for tests to talk to."""
