"""What only the user can put right."""


class UserMistake(Exception):
    """A wrong file, header or endpoint: one line that says what would be right. Exit code 2."""
