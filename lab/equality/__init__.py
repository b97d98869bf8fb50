"""Every case of the pack on tiny models, from two commits, in both ComfyUI versions: equal or not.

`python -m lab.equality --help` says how to run it.
"""
