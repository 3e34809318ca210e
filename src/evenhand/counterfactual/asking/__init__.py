"""Asking a vision model for reports: prompts, requests and what a run stores."""
