"""The sections of a report on image pairs."""
