"""A table in the formats of other programs."""
