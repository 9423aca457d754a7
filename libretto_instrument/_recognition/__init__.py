"""Recognises which template a rendered prompt was made from, and proposes templates."""
