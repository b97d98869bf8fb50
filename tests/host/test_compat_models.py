"""LoRAs, weight formats, compiled models, caches and several GPUs."""

from __future__ import annotations

import threading

import comfy.hooks
import comfy.model_patcher
import comfy.ops
import comfy.samplers
import comfy.sd
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_easycache import EasyCacheNode, LazyCacheNode
from comfy_extras.nodes_torch_compile import TorchCompileModel
from limits import assert_limits, assert_matters, guider, mixed, native, noise, scattered

from demo import tiny
from driving import quick_schedule, ralu
from ralu_pack.nodes.host.mixed_call import MixedCall
from ralu_pack.ralu_core.layout import Layout
from ralu_pack.ralu_core.schedule import StageSchedule

SHIFT = {"Flux": 3.158193, "SD3": 3.0}
QKV = {
    "Flux": "diffusion_model.double_blocks.0.img_attn.qkv",
    "SD3": "diffusion_model.joint_blocks.0.x_block.attn.qkv",
}


def family(model) -> str:
    return type(model.model).__name__


def sample(model, vae, **options):
    schedule = options.pop("schedule", None) or quick_schedule(SHIFT[family(model)])
    return ralu(model, vae, schedule=schedule, **options)[0]


def lora(model, seed=60, scale=1.0) -> dict:
    """A rank-4 LoRA of one attention's weights, in the format that core loads."""
    name = QKV[family(model)]
    out_width, in_width = model.model.state_dict()[f"{name}.weight"].shape
    generator = torch.Generator().manual_seed(seed)
    return {
        f"{name}.lora_up.weight": scale * torch.randn(out_width, 4, generator=generator),
        f"{name}.lora_down.weight": torch.randn(4, in_width, generator=generator) / 8,
    }


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
        schedule = quick_schedule(SHIFT[family(model)], ratio)
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


CACHES = {"EasyCache": EasyCacheNode, "LazyCache": LazyCacheNode}
STEPS = StageSchedule((5, 6, 9), (0.7, 0.55, 0.0), (4.4, 2.1, 2.0), 4.0, 0.3, 3.158193)


def cached(model, node, threshold, start=0.0, end=1.0):
    return node.execute(model, threshold, start, end, False).args[0]


class Calls:
    """Counts the rows of tokens that pass the network's first block."""

    def __init__(self, model):
        network = model.model.diffusion_model
        blocks = (
            network.double_blocks if hasattr(network, "double_blocks") else network.joint_blocks
        )
        self.tokens: list[int] = []
        self.handle = blocks[0].register_forward_pre_hook(self._note, with_kwargs=True)

    def _note(self, _module, args, kwargs):
        self.tokens.append(kwargs["img"].shape[1] if "img" in kwargs else args[1].shape[1])

    def per_stage(self, schedule=STEPS) -> list[int]:
        return [self.tokens.count(n) for n in schedule.tokens(16, 16)]


@pytest.mark.promise("EasyCache and LazyCache")
@pytest.mark.parametrize("node", CACHES.values(), ids=CACHES)
def test_cache_that_skips_nothing_changes_nothing(flux, vae, node):
    calls = Calls(flux)
    plain = sample(flux, vae, schedule=STEPS)
    assert calls.per_stage() == [5, 6, 9]
    assert torch.equal(plain, sample(cached(flux, node, 0.0), vae, schedule=STEPS))
    assert calls.per_stage() == [10, 12, 18]


@pytest.mark.promise("EasyCache and LazyCache")
@pytest.mark.parametrize("node", CACHES.values(), ids=CACHES)
def test_every_stage_fills_its_cache_anew(flux, vae, node):
    """Each stage computes as many steps as plain sampling over its noise levels would."""
    lazy = cached(flux, node, 1e9)
    expected = []
    for stage in range(3):
        calls = Calls(flux)
        sigmas = torch.tensor(STEPS.sigmas(stage))
        guider(lazy, cfg=1.0).sample(
            torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(0)),
            torch.zeros(1, 16, 32, 32),
            comfy.samplers.sampler_object("euler"),
            sigmas,
            disable_pbar=True,
            seed=0,
        )
        calls.handle.remove()
        expected.append(len(calls.tokens))
    assert all(1 < n < steps for n, steps in zip(expected, STEPS.steps, strict=True))
    calls = Calls(flux)
    samples = sample(lazy, vae, schedule=STEPS)
    assert calls.per_stage() == expected
    assert torch.isfinite(samples).all()


@pytest.mark.promise("EasyCache and LazyCache")
@pytest.mark.parametrize("node", CACHES.values(), ids=CACHES)
def test_cached_runs_repeat_and_leave_plain_sampling_alone(flux, vae, node):
    plain = sample(flux, vae, schedule=STEPS)
    lazy = cached(flux, node, 1e9)
    first = sample(lazy, vae, schedule=STEPS)
    assert torch.equal(first, sample(lazy, vae, schedule=STEPS))
    assert not torch.equal(first, plain)
    assert torch.equal(plain, sample(flux, vae, schedule=STEPS))


@pytest.mark.promise("EasyCache and LazyCache")
def test_easycache_with_guidance_and_a_batch(flux, vae):
    """Its state is kept for each prompt, over all pictures of the batch."""
    samples = sample(cached(flux, EasyCacheNode, 0.2), vae, schedule=STEPS, batch=2, cfg=3.0)
    assert torch.isfinite(samples).all()
    exact = sample(flux, vae, schedule=STEPS, batch=2, cfg=3.0)
    none = sample(cached(flux, EasyCacheNode, 0.0), vae, schedule=STEPS, batch=2, cfg=3.0)
    assert torch.equal(none, exact)


def test_easycache_over_pictures_of_unequal_counts_is_refused(flux, vae):
    painted = torch.zeros(2, 256, 256)
    painted[0, :128] = 1
    with pytest.raises(ValueError, match="EasyCache remembers one set of tokens"):
        sample(cached(flux, EasyCacheNode, 0.2), vae, batch=2, region_mask=painted)
    samples = sample(cached(flux, LazyCacheNode, 0.2), vae, batch=2, region_mask=painted)
    assert torch.isfinite(samples).all()


@pytest.fixture
def twin(request, model):
    """The same model again, with a network of its own."""
    return tiny.load_model(request.getfixturevalue(f"{family(model).lower()}_weights"))


@pytest.mark.promise("Several GPUs (ComfyUI 0.30's copies of a model)")
def test_a_mixed_call_holds_nothing_that_a_call_changes(model, twin):
    """Two threads, each with a network of its own, share one MixedCall and one layout."""
    layouts = [scattered(), uneven()]
    for layout in layouts:
        call = MixedCall(layout)
        copies = [model.model, twin.model]
        states = [noise(seed) for seed in (70, 71)]
        alone = [apply(base, call, x).clone() for base, x in zip(copies, states, strict=True)]
        before = {**call.__dict__}
        out: dict[int, list] = {0: [], 1: []}
        start = threading.Barrier(2)

        def work(i, call=call, copies=copies, states=states, out=out, start=start):
            with torch.no_grad():
                for _ in range(6):
                    start.wait()
                    out[i].append(apply(copies[i], call, states[i]))

        threads = [threading.Thread(target=work, args=(i,)) for i in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for i in range(2):
            assert len(out[i]) == 6 and all(torch.equal(alone[i], one) for one in out[i])
        assert call.__dict__ == before


def uneven() -> Layout:
    fine = scattered().fine.clone()
    fine[1, 0] = True
    return Layout(fine)


def apply(base, call: MixedCall, x: torch.Tensor) -> torch.Tensor:
    conditioning = tiny.conditioning(5, batch=2)
    options = {"wrappers": {WrappersMP.APPLY_MODEL: {"ralu": [call]}}}
    kwargs = {"guidance": torch.full((2,), 3.5)} if type(base).__name__ == "Flux" else {}
    return base.apply_model(
        x,
        torch.full((2,), 0.8),
        c_crossattn=conditioning[0][0],
        y=conditioning[0][1]["pooled_output"],
        transformer_options=options,
        **kwargs,
    )


def two_devices(model, twin):
    """The MODEL with a copy on a second device, through the host's own machinery."""
    second = torch.device("cpu", 0)  # to the host another device than "cpu", to torch the same
    clone = model.clone(model_override=(twin.model, ({}, {}, {}, set())))
    clone.hook_backup, clone.load_device = {}, second
    clone.is_multigpu_base_clone = True
    both = model.clone()
    both.set_additional_models("multigpu", [clone])
    both.match_multigpu_clones()
    return both, clone


NEWER = hasattr(comfy.model_patcher.ModelPatcher, "match_multigpu_clones")


@pytest.mark.promise("Several GPUs (ComfyUI 0.30's copies of a model)")
@pytest.mark.skipif(not NEWER, reason="ComfyUI 0.3.75 runs a model on one GPU")
@pytest.mark.parametrize("control", [False, True], ids=["plain", "ControlNet"])
def test_guidance_split_over_two_devices(model, twin, vae, control, monkeypatch):
    from test_compat_control import applied, controlnet

    monkeypatch.setattr(comfy.model_management, "set_torch_device", lambda device: None)
    kind = "flux instantx" if family(model) == "Flux" else "sd3"
    conds = applied(controlnet(model, kind), vae) if control else (None, None)
    single = guider(model, *conds)
    both, clone = two_devices(model, twin)
    calls = [Calls(model), Calls(clone)]
    split = guider(both, *conds)
    one, other = (mixed(g, noise(), scattered()) for g in (single, split))
    torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-3)
    assert len(calls[1].tokens) == 3 and len(calls[0].tokens) == 3 + 3
    assert "process_img" not in clone.model.diffusion_model.__dict__
