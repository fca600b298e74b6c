"""Requests to the Hub, and what its answers mean."""
