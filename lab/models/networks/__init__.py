"""Networks of the families' classes at toy size, for tests, benches and stand-ins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lab.models.networks import double, lumina, single, video
from lab.models.networks.network import Network

# By the name of the family.
NETWORKS: Mapping[str, Network] = {
    "flux1": double.FLUX1,
    "sd3": double.SD3,
    "flux2": double.FLUX2,
    "qwen_image": double.QWEN_IMAGE,
    "z_image": lumina.Z_IMAGE,
    "lumina2": lumina.LUMINA2,
    "krea2": single.KREA2,
    "anima": video.ANIMA,
    "chroma": double.CHROMA,
    "longcat": double.LONGCAT,
    "mage_flow": double.MAGE_FLOW,
    "ernie": single.ERNIE,
    "kandinsky5": video.KANDINSKY5,
    "wan": video.WAN,
}


def toy_network(family: Any, **options: Any) -> torch.nn.Module:
    """The family's network; KeyError for a family that has none.

    options  of its maker, and dtype, device and operations, as the host's networks take them.
    """
    return NETWORKS[family.name].build(**options)


__all__ = ["NETWORKS", "Network", "toy_network"]
