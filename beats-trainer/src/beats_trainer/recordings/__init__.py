"""Which recordings there are, and what recorders wrote into them."""
