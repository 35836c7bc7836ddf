"""Pieces of evidence: each kind of observation as clues that point at a service."""
