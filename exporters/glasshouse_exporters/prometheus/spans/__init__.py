"""Calls and durations, made from spans."""
