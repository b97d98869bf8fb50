"""Write the files in workflows/: `python -m demo.authoring` after a node's inputs changed."""
