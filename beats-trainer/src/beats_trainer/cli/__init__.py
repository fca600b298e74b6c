"""The subcommands of `beats`, one noun a file."""
