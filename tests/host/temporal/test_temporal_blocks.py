"""What the acceleration knows of a family's blocks, beside what the host's network does."""

from __future__ import annotations

import comfy.samplers
import pytest
import torch
from accelerating import SIGMAS

from lab.models import tiny
from ralu_pack.nodes.host.families.table import FAMILIES

# What the first block's attention reads: the image's.
FIRST = {
    "JointBlocks": lambda network: network.joint_blocks[0].x_block.attn.qkv,
    "DoubleAndSingleBlocks": lambda network: network.double_blocks[0].img_attn.qkv,
    "ModulatedBlocks": lambda network: network.double_blocks[0].img_attn.qkv,
    "TransformerBlocks": lambda network: network.transformer_blocks[0].attn.to_q,
}
KNOWN = [family for family in FAMILIES if family.blocks]


@pytest.mark.promise("RALU Temporal Acceleration")
@pytest.mark.parametrize("family", KNOWN, ids=lambda family: family.name)
def test_what_teacache_gauges_is_what_the_first_attention_reads(family):
    if not family.is_known:
        pytest.skip(f"this ComfyUI has no {family.model_class}")
    model = tiny.load_model(tiny.family_weights(family), family)
    network, gauged, read = model.model.diffusion_model, [], []
    blocks = family.blocks(network)

    def block(args, rest):
        assert blocks.is_even(args)
        gauged.append(blocks.modulated_input(args).clone())
        return rest["original_block"](args)

    model.set_model_patch_replace(block, "dit", *blocks.keys[0])
    first = FIRST[family.blocks.__name__](network)
    first.register_forward_pre_hook(lambda _, args: read.append(args[0].clone()))
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(tiny.conditioning(5), tiny.conditioning(6))
    guider.set_cfg(2.0)
    x = family.space.leave(torch.randn(2, family.space.channels, 16, 16))
    euler = comfy.samplers.sampler_object("euler")
    guider.sample(x, torch.zeros_like(x), euler, SIGMAS, disable_pbar=True, seed=0)
    assert len(gauged) == len(read) == len(SIGMAS) - 1
    for one, other in zip(gauged, read, strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
    assert not torch.equal(gauged[0], gauged[1])
