"""Plain names beside DVC's objects, for those who read the Hub."""
