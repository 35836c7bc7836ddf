"""Functions from batch to batch, one file each."""
