"""Two small dual encoders that come with the package, trained on portraits that we drew."""
