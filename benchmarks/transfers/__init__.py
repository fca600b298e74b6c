"""What the benchmarks of pushes and pulls share: servers, content, timed programs."""
