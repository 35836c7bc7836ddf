"""Nouns and contracts; imports nothing else of this project."""
