"""LoRAs, weight formats and compiled models."""

from __future__ import annotations

import comfy.hooks
import comfy.model_patcher
import comfy.ops
import comfy.samplers
import comfy.sd
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_torch_compile import TorchCompileModel
from limits import assert_limits, assert_matters, guider, mixed, native, noise, scattered

from driving import family, lora, sample, schedule_for
from lab.models import tiny


@pytest.mark.promise("LoRA")
def test_lora(model, vae):
    patched, _ = comfy.sd.load_lora_for_models(model, None, lora(model), 1.0, 0.0)
    before = sample(model, vae)
    assert_limits(guider(patched))
    assert_matters(guider(patched), guider(model))
    assert not torch.equal(before, sample(patched, vae))
    assert torch.equal(before, sample(model, vae))


def hooked(conditioning, hooks):
    return comfy.hooks.set_hooks_for_conditioning(conditioning, hooks)


@pytest.mark.promise("LoRA hooks, for one prompt and by noise level")
def test_lora_hook_of_one_prompt(model, vae):
    positive = hooked(tiny.conditioning(5), comfy.hooks.create_hook_lora(lora(model), 1.0, 0.0))
    assert_limits(guider(model, positive))
    assert_matters(guider(model, positive), guider(model))
    static, _ = comfy.sd.load_lora_for_models(model, None, lora(model), 1.0, 0.0)
    torch.testing.assert_close(
        sample(model, vae, positive=positive), sample(static, vae), atol=1e-3, rtol=1e-3
    )


@pytest.mark.promise("LoRA hooks, for one prompt and by noise level")
def test_lora_hook_by_noise_level(model):
    sampling = model.get_model_object("model_sampling")
    late = next(p / 1000 for p in range(1000) if sampling.percent_to_sigma(p / 1000) < 0.7)
    hooks = comfy.hooks.create_hook_lora(lora(model), 1.0, 0.0)
    frames = comfy.hooks.HookKeyframeGroup()
    frames.add(comfy.hooks.HookKeyframe(strength=0.0, start_percent=0.0))
    frames.add(comfy.hooks.HookKeyframe(strength=1.0, start_percent=late))
    hooks.set_keyframes_on_hooks(frames)
    scheduled = guider(model, hooked(tiny.conditioning(5), hooks))
    assert_limits(scheduled)
    assert_matters(scheduled, guider(model))


@pytest.mark.promise("bf16 and fp8 weights")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn], ids=str)
def test_smaller_weights(request, model, vae, dtype):
    weights = request.getfixturevalue(f"{family(model).lower()}_weights")
    small = tiny.load_model(weights, dtype=dtype)
    assert small.model_dtype() == dtype
    assert_limits(guider(small))
    patched, _ = comfy.sd.load_lora_for_models(small, None, lora(model), 1.0, 0.0)
    assert_limits(guider(patched))
    assert torch.isfinite(sample(patched, vae)).all()


class Quantised(comfy.ops.manual_cast):
    """Operations in the manner of GGUF: weights are stored as bytes and expanded for each call."""

    class Linear(comfy.ops.manual_cast.Linear):
        def _load_from_state_dict(self, state_dict, prefix, *args):
            weight = state_dict.pop(f"{prefix}weight")
            self.scale = weight.abs().amax(dim=1, keepdim=True) / 127
            self.stored = (weight / self.scale).round().to(torch.int8)
            bias = state_dict.pop(f"{prefix}bias", None)
            self.weight = torch.nn.Parameter(self.stored, requires_grad=False)
            self.bias = None if bias is None else torch.nn.Parameter(bias, requires_grad=False)

        def forward(self, x, *args, **kwargs):
            weight = (self.stored.float() * self.scale).to(x.dtype)
            bias = None if self.bias is None else self.bias.to(x.dtype)
            return torch.nn.functional.linear(x, weight, bias)


class OtherPatcher(comfy.model_patcher.ModelPatcher):
    """A MODEL of another class, as GGUF loaders return, whose clone takes anything."""

    def clone(self, *args, **kwargs):
        cloned = super().clone(*args, **kwargs)
        cloned.__class__ = OtherPatcher
        return cloned


@pytest.mark.promise("Weights behind custom operations (GGUF style)")
def test_custom_operations(request, model, vae):
    weights = request.getfixturevalue(f"{family(model).lower()}_weights")
    packed = tiny.load_model(weights, custom_operations=Quantised)
    stored = [m for m in packed.model.modules() if hasattr(m, "stored")]
    assert len(stored) > 10
    packed = OtherPatcher(packed.model, packed.load_device, packed.offload_device)
    assert_limits(guider(packed))
    assert torch.isfinite(sample(packed, vae)).all()
    assert not torch.equal(sample(packed, vae), sample(model, vae))


def compiled(model):
    out = TorchCompileModel.execute(model, "eager")
    return out.args[0]


@pytest.mark.promise("torch.compile")
def test_graph_traced_without_the_pack_still_learns_its_positions(flux):
    """Core drops the guards that would tell a traced graph about wrappers and patches."""
    torch._dynamo.reset()
    quick, layout = compiled(flux), scattered()
    assert set(quick.wrappers.get(WrappersMP.APPLY_MODEL, {})) == {"torch.compile"}
    x, sigmas = noise(), torch.tensor([1.0, 0.5, 0.0])
    plain = native(guider(quick, cfg=1.0), x, sigmas=sigmas)
    one, other = (mixed(guider(m, cfg=1.0), x, layout, sigmas=sigmas) for m in (quick, flux))
    torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    assert torch.equal(plain, native(guider(quick, cfg=1.0), x, sigmas=sigmas))
    torch._dynamo.reset()


@pytest.mark.slow
@pytest.mark.promise("torch.compile")
def test_compiled_model_gives_the_same_pictures(model, vae):
    """Over several runs, with other regions than the graphs were traced with."""
    torch._dynamo.reset()
    quick = compiled(model)
    for seed, ratio in ((7, 0.3), (8, 0.3), (7, 0.2)):
        schedule = schedule_for(model, ratio)
        eager = sample(model, vae, seed=seed, schedule=schedule)
        torch.testing.assert_close(
            sample(quick, vae, seed=seed, schedule=schedule), eager, atol=1e-4, rtol=1e-4
        )
    torch._dynamo.reset()


@pytest.mark.promise("torch.compile")
def test_compiled_model_whose_positions_are_not_asked_for_stops(flux, vae, monkeypatch):
    quick = compiled(flux)
    network = flux.model.diffusion_model
    monkeypatch.setattr(network, "forward", lambda x, *args, **kwargs: torch.zeros_like(x))
    with pytest.raises(RuntimeError, match="another node replaced the forward pass"):
        sample(quick, vae)
    torch._dynamo.reset()
