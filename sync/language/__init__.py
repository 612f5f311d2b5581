"""The segment language: parser, nodes, what a rule needs, its meaning, and how it explains itself."""
