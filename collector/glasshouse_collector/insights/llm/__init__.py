"""Lets a language model word what the analysis found; needed for nothing, and believed in nothing."""
