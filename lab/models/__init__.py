"""Small models: of the real classes, random or trained, and what stands in for which file."""
