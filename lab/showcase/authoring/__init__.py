"""`python -m lab.showcase.authoring` writes workflows/, after a node's inputs changed."""
