"""Measures the picture quality of RALU and of its rivals at equal cost, on a miniature model."""
