"""Demo-only node pack: small models, and a count of what they are really asked to do."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .nodes import DemoExtension


async def comfy_entrypoint() -> DemoExtension:
    # Last on the path, so that ComfyUI's own `nodes` stays first.
    sys.path.append(str(Path(__file__).resolve().parents[2]))
    from .nodes import DemoExtension

    return DemoExtension()
