"""Texts that others wrote, read once: bounded, typed, and named by file and field."""
