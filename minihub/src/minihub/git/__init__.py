"""Repositories, their history and their trees."""
