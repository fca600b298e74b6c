"""From a pin to a verified local file: the only room that asks a Hub."""
