"""What can be done with a table once it is there: searched, and written in the formats of other programs."""
