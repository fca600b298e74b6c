"""The Hub's HTTP API, one subject a file."""
