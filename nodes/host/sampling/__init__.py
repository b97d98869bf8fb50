"""How a stage is sampled by ComfyUI's own samplers."""
