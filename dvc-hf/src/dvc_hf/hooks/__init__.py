"""What of DVC is wrapped, and what each wrapper does: most have the name of what they wrap."""
