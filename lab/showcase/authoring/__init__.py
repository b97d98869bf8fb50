"""`python -m lab.showcase.authoring` writes the files in workflows/; after a node's inputs changed."""
