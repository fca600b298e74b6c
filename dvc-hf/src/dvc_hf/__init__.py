"""The Hugging Face Hub as a DVC remote."""
