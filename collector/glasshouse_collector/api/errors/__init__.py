"""Groups exceptions by type and place."""
