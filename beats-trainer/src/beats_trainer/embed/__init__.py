"""Recordings of any length, number and condition in; a table that survives being killed out."""
