"""Who calls whom, made from pairs of spans."""
