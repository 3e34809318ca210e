"""Simulated voters: they vote over HTTP as people do, with opinions that we planted."""
