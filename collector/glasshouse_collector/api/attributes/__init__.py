"""Tells which attributes there are, and their values."""
