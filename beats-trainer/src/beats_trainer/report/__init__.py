"""One page about a table: what is where and when, a map to look at and listen to."""
