"""Asking a model: prompts, texts about personas, scale orders, and what a reply says."""
