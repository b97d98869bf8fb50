"""Speed and cost, measured on the real ComfyUI: `python -m lab.bench --help`."""
