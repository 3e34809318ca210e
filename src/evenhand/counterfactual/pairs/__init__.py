"""Image pairs: what is in a manifest, and building one from anywhere."""
