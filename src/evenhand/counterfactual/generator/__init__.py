"""Making counterfactual images with Stable Diffusion, blending them, and their quality."""
