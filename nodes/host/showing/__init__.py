"""What a run shows while it goes and after: it listens, and no number of a run comes from here."""
