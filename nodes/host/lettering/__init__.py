"""Words in quotes: found in a prompt, marked in its CONDITIONING, read by a run."""
