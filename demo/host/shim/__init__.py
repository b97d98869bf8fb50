"""Start-up shim for a CPU-only torch; see sitecustomize.py."""

from demo.host.shim.sitecustomize import apply

__all__ = ["apply"]
