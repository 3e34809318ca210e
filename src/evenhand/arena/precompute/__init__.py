"""From images, models and queries to a bundle."""
