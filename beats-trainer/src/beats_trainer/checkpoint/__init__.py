"""A file of weights, of any layout, read, checked, built and written."""
