"""What of DVC is wrapped, and what each wrapper does."""
