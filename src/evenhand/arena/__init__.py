"""The arena: people vote, side by side and blind, on whose results represent people better."""
