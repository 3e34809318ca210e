"""The sections of a survey's reports."""
