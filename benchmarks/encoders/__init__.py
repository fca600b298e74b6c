"""What `benchmarks/encoder.py` races, and the limits that it holds the times against."""
