"""Contents of files, large and small, by digest."""
