"""The clips of a table that are most like a recording."""
