"""What is borrowed of the other tools: ComfyUI on this machine, and its tiny models."""

from __future__ import annotations

from types import ModuleType

from lab.comfy import HostError, activate
from lab.comfy.pins import HOSTS

__all__ = ["VERSIONS", "HostError", "activate", "tiny"]

VERSIONS = tuple(pin.version for pin in HOSTS)


def tiny() -> ModuleType:
    """The makers of tiny models; only after `activate`, because they import ComfyUI."""
    from lab.models import tiny as makers

    return makers
