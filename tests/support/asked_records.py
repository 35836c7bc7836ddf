"""What the tests of clients know of the records that they ask for."""

TOKEN = "a-token-of-the-operator"
TRACE = "ab" * 16
LOGS = 25
