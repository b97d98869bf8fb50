"""The model families: what each is, and all that the pack must know of it, one file each."""
