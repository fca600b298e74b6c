"""Start a Hub for tests: a pytest plugin."""
