"""What the tests of clients know of the records that they ask for."""

TOKEN = "a-token-of-the-operator"
TRACE = "ab" * 16
CIRCLE = "ef" * 16
"""A trace whose spans lead round in a circle, beside a root with a child that came twice."""
LOGS = 25
