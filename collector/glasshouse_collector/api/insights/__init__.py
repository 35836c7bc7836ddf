"""What broke, where, since when and why, as the API tells it."""
