"""Populations: conditional tables from official figures, and personas drawn from them."""
