"""Tests of the room that knows openai."""
