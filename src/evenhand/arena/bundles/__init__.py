"""Bundles: all that the arena shows of one dataset, in one file that is opened by mapping it."""
