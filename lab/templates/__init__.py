"""ComfyUI's own templates, run with RALU in their samplers' place, on small stand-in models.

`python -m lab.templates` runs them all and writes docs/templates.md: see `lab.templates.table`.
"""
