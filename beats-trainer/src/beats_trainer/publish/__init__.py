"""A checkpoint of one's own as a repository of the Hub, or as one file to carry."""
