"""Datasets made from another: balanced ones, and counterfactual pairs."""
