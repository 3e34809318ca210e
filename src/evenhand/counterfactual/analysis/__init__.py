"""Our analysis beside the frozen one: edits, directions, noise floor, categories, refusals."""
