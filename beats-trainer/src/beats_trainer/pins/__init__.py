"""Which checkpoints exist: their names, digests and addresses."""
