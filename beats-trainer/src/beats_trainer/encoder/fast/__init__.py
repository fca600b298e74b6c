"""The encoder on a CPU while inferring: the same numbers, faster."""
