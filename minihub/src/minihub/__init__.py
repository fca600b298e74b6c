"""A small Hugging Face Hub on your own machine."""
