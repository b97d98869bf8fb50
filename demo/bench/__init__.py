"""Speed and cost, measured on the real ComfyUI: `python -m demo.bench --help`."""
