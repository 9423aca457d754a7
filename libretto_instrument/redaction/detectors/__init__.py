"""Detectors of one kind of personal data each: they yield what they find in a text."""
