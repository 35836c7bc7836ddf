"""Tells which metrics there are, and how they go over time."""
