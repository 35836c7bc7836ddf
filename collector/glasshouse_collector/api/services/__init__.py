"""Tells how services do, and who calls whom."""
