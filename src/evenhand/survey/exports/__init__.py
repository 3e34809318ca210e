"""A run of the survey as files that other programs read."""
