"""Two-stage prompting as a mitigation: parsers, validation, gate, conditions and the binding rule."""
