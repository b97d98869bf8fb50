"""Nodes of ComfyUI that came after the oldest version supported, as its server describes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Newer:
    """A node, and the first version that has it."""

    version: str
    info: dict[str, Any]


NEWER = {
    "ImageCompare": Newer(
        "0.9.2",
        {
            "input": {
                "required": {"compare_view": ["IMAGECOMPARE", {"socketless": True}]},
                "optional": {"image_a": ["IMAGE", {}], "image_b": ["IMAGE", {}]},
            },
            "output": [],
            "output_name": [],
            "python_module": "comfy_extras.nodes_image_compare",
        },
    ),
}
