"""The only decoder: a recording's samples, its clips, and whether all of it is there."""
