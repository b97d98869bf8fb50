"""The adapter between `ralu_core` and ComfyUI: the only code that knows the host from inside."""
