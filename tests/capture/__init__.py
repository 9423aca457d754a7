"""Tests of the package that knows openai."""
