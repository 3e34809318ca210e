"""Portraits that we draw ourselves, so that every attribute of everybody shown is known."""
