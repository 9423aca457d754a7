"""Helpers without knowledge of openai, events or delivery: JSON, ids, errors, units."""
