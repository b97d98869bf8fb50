"""Start-up shim for a CPU-only torch; see sitecustomize.py."""

from lab.comfy.shim.sitecustomize import apply

__all__ = ["apply"]
