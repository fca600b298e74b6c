"""Content-addressed storage in chunks, as the Xet clients speak it."""
