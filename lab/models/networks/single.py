"""Networks of one stream: Krea 2 and Ernie-Image."""

from __future__ import annotations

from typing import Any

from lab.models.networks.network import Network


def _krea2(**config: Any):
    from comfy.ldm.krea2.model import SingleStreamDiT

    return SingleStreamDiT(**config)


def _ernie(**config: Any):
    from comfy.ldm.ernie.model import ErnieImageModel

    return ErnieImageModel(**config, rope_axes_dim=(32, 48, 48))


KREA2 = Network(
    _krea2,
    {
        "features": 256,
        "heads": 2,
        "kvheads": 1,
        "layers": 2,
        "channels": 16,
        "txtdim": 32,
        "txtlayers": 2,
        "txtheads": 2,
        "txtkvheads": 2,
    },
    "Krea2",
)
ERNIE = Network(
    _ernie,
    {
        "hidden_size": 256,
        "num_attention_heads": 2,
        "num_layers": 2,
        "ffn_hidden_size": 512,
        "text_in_dim": 64,
    },
    "ErnieImage",
)
