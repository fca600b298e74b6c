"""What lies on the disk, and that it survives a power cut."""
