"""Says what broke, where, since when and why, with evidence."""
