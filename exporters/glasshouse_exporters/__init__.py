"""Where batches are delivered to, one file each."""
