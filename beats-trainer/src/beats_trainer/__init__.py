"""BEATs audio embeddings from verified checkpoints."""
