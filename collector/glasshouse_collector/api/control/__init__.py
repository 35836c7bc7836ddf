"""What is asked about projects and keys, and answered."""
