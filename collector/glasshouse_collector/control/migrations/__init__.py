"""Alembic's migrations of small state, in the order of their numbers."""
