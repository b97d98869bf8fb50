"""What is particular to a family of networks."""
