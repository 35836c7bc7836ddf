"""From journal frames to delivered batches."""
