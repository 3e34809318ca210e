"""Parity beside the votes: whom each model shows first, and whether votes follow it."""
