"""What an operator runs: checks, garbage collection, mirrors."""
