"""Bringing in what the Social Bias Benchmark kept in its SQLite database, with what its faults did to it."""
