"""The BEATs encoder, from a waveform to pooled patch embeddings."""
