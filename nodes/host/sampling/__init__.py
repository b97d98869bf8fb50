"""The stages of a plan as the host's own sampling calls."""
