"""Everything that a push changes, gathered into one commit."""
