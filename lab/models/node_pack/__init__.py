"""Node pack of the lab only: small models, and a count of what they are really asked to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes import LabExtension


async def comfy_entrypoint() -> LabExtension:
    # Last on the path, so that ComfyUI's own `nodes` stays first.
    sys.path.append(str(Path(__file__).resolve().parents[3]))
    from .nodes import LabExtension

    return LabExtension()
