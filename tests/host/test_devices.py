"""Where tensors lie. No GPU is needed: the `meta` device stands for one, as it shares no memory."""

from __future__ import annotations

import copy
import gc

import comfy.model_management
import pytest
import torch
from controls import applied
from torch.profiler import ProfilerActivity, profile, record_function

from driving import quick_schedule, ralu
from lab.models.controlnets import controlnet
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.host import run
from ralu_pack.nodes.host.inputs import placed_for
from ralu_pack.nodes.host.sampling.control import RememberingVae

GPU = torch.device("meta")


def test_finished_latents_lie_where_the_host_keeps_them(flux, vae, monkeypatch):
    original = run.run_plan

    def then_move(*args):
        result = original(*args)
        monkeypatch.setattr(comfy.model_management, "intermediate_device", lambda: GPU)
        return result

    monkeypatch.setattr(run, "run_plan", then_move)
    assert ralu(flux, vae)[0].device == GPU


def test_only_canny_gpu_moves_the_picture(monkeypatch):
    monkeypatch.setattr(comfy.model_management, "get_torch_device", lambda: GPU)
    picture = torch.rand(1, 64, 64, 3)
    assert placed_for("canny_gpu", picture).device == GPU
    assert placed_for("canny", picture) is picture


def test_weights_pinned_for_offloading_stay_pinned(flux, vae):
    ralu(flux, vae)  # loads the model, which unpins what it moves
    pinned = "diffusion_model.img_in.weight"
    flux.pinned.add(pinned)
    try:
        ralu(flux, vae)
        gc.collect()
        assert pinned in flux.pinned
        flux.clone()  # what a run must therefore not do
        gc.collect()
        assert pinned not in flux.pinned
    finally:
        flux.pinned.discard(pinned)


ORDER = {"forward": "forward", "aten::normal_": "noise", "aten::_local_scalar_dense": "wait"}


def test_noise_is_drawn_while_the_device_still_samples(flux, vae):
    def mark(*_):
        with record_function("forward"):
            pass

    hook = flux.model.diffusion_model.register_forward_hook(mark)
    try:
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            ralu(flux, vae)
    finally:
        hook.remove()
    events = sorted(profiler.events() or (), key=lambda event: event.time_range.start)
    order = [ORDER[event.name] for event in events if event.name in ORDER]
    calls = [i for i, what in enumerate(order) if what == "forward"]
    assert len(calls) == 6  # two steps a stage
    for last_call in (calls[1], calls[3]):
        assert order[last_call + 1 : last_call + 3] == ["noise", "wait"]
    assert "noise" not in order[calls[5] :]


class CountingVae:
    def __init__(self, vae):
        self.vae, self.sizes = vae, []

    def encode(self, pixels):
        self.sizes.append(tuple(pixels.shape[1:3]))
        return self.vae.encode(pixels)

    def __getattr__(self, name):
        return getattr(object.__getattribute__(self, "vae"), name)


@pytest.mark.parametrize("size", [(256, 256), (248, 200)])
def test_a_hint_is_encoded_once_at_each_size(flux, vae, size):
    counting = CountingVae(vae)
    positive, _ = applied(
        controlnet(flux, "flux instantx"), counting, image=torch.rand(1, *size, 3)
    )
    ralu(flux, vae, size=size, positive=positive)
    assert len(counting.sizes) == len(set(counting.sizes)) == 2
    control = positive[0][1]["control"]
    assert control.vae is counting and control.cond_hint is None


def test_a_controlnets_vae_can_be_copied_with_it():
    twin = copy.deepcopy(RememberingVae(CountingVae(None)))
    assert twin.sizes == []


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_grey_and_transparent_pictures_have_edges_too(channels):
    image = torch.zeros(1, 256, 256, channels)
    image[:, 72:184, 72:184] = 1
    mask = EdgeMaskPreview.execute(0.2, image=image).args[0]
    ring = torch.zeros(1, 256, 256)
    ring[:, 64:192, 64:192] = 1
    ring[:, 96:160, 96:160] = 0
    assert torch.equal(mask, ring)


def test_a_vae_of_videos_is_refused(flux, vae):
    video = copy.copy(vae)
    video.latent_dim = 3
    with pytest.raises(ValueError, match="VAE of still pictures, got one of videos"):
        ralu(flux, video, schedule=quick_schedule())
