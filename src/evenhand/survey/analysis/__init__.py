"""The parts of an analysis of ratings: groups, pairs, scale order, what is missing."""
