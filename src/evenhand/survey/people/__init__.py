"""Personas as columns, and the datasets that keep them in the database."""
