"""Whether ComfyUI has loaded another copy of this pack."""

from __future__ import annotations

import sys
from pathlib import Path


def other_copy(folder: Path) -> Path | None:
    """The folder of a copy whose nodes ComfyUI has, if that is not this one.

    Two copies would answer at the same address, and ComfyUI's server would not start.
    """
    host = sys.modules.get("nodes")  # ComfyUI's own, which loads packs one after another
    node = getattr(host, "NODE_CLASS_MAPPINGS", {}).get("RALU_Sampler")
    file = getattr(sys.modules.get(getattr(node, "__module__", "")), "__file__", None)
    if file is None:
        return None
    loaded = Path(file).absolute().parents[1]
    return None if loaded == folder.absolute() else loaded
