"""The one exception of this package."""

from __future__ import annotations


class HostError(RuntimeError):
    """ComfyUI could not be installed, started or made to run a prompt.

    The message is one sentence for the person at the keyboard: what failed, and the way out.
    """
