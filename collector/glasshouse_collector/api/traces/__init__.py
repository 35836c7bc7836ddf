"""Finds traces and tells them whole, compared, exported."""
