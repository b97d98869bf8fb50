"""ComfyUI's own multi-GPU nodes in front of a RALU Sampler, through its real thread pool."""

from __future__ import annotations

import pytest
import torch
from accelerating import METHODS, accelerated
from controls import applied, hint
from own_memory_device import DEVICE
from two_devices import (
    CPU,
    OTHER_CPU,
    copies_of,
    devices,
    load_file,
    needs_nodes,
    place_of,
    placed,
    split,
)
from wires import WIRES

from driving import Calls, family, ralu, schedule_for
from lab.models import tiny
from lab.models.controlnets import controlnet

pytestmark = [
    needs_nodes,
    pytest.mark.promise("Several GPUs: MultiGPU CFG Split and Select Model Device"),
]
SECOND = pytest.mark.parametrize("second", [OTHER_CPU, DEVICE], ids=str)
FAMILY = pytest.mark.parametrize("name", ["flux", "sd3"])
NEAR = {"atol": 1e-3, "rtol": 0}  # of latents up to 20: rows are multiplied one by one


@pytest.fixture
def weights(request, name):
    return request.getfixturevalue(f"{name}_weights")


def run(model, wire=None, cfg=3.0, chained=None):
    """A RALU Sampler's latent and mask; wire and chained make what a user connects."""
    vae = tiny.narrow_taesd(seed=3)
    options = {} if wire is None else wire(model, vae)
    return ralu(
        model if chained is None else chained(model),
        vae,
        **{"schedule": schedule_for(model), **options, "cfg": cfg},
    )


def check_split(weights, folder, places, wire=None, before=None, after=None):
    """The run equals that of one device, and each device made half of the calls.

    before, after  what stands in front of MultiGPU CFG Split, and behind it.
    """
    alone = through(before, after)
    expected, mask = run(tiny.load_model(weights), wire, chained=alone)
    with devices(*places):
        model = load_file(weights, folder)
        both = through(before, split, after)(model)
        (copy,) = copies_of(both)
        calls = [Calls(model), Calls(copy)]
        samples, same_mask = run(model, wire, chained=lambda _: both)
        assert len(calls[0].tokens) == len(calls[1].tokens) > (0 if before or after else 5)
        assert [place_of(one).type for one in (model, copy)] == [one.type for one in places]
        for one in (model, copy):
            assert "process_img" not in vars(one.model.diffusion_model)
        samples, same_mask = samples.cpu(), same_mask.cpu()
    assert torch.equal(mask, same_mask)
    torch.testing.assert_close(samples, expected, **NEAR)


def through(*steps):
    def chained(model):
        for step in steps:
            model = model if step is None else step(model)
        return model

    return chained


def of_several_counts(model, vae) -> dict:
    """Pictures with different numbers of tokens in stage 2, which are called one by one."""
    mask = torch.zeros(2, 256, 256)
    mask[0, :160, :160] = mask[1, :224, :224] = 1
    return {"batch": 2, "region_mask": mask}


def pair(model, vae) -> dict:
    return {"batch": 2}


def controlled(model, vae) -> dict:
    """Two ControlNets in a chain."""
    kinds = ("flux instantx", "flux xlabs") if family(model) == "Flux" else ("sd3", "sd3")
    conds = None
    for k, kind in enumerate(kinds):
        net = controlnet(model, kind, seed=11 + k)
        conds = applied(net, vae, 0.7, image=hint(21 + k, (256, 256)), conds=conds)
    return {"positive": conds[0]}


@SECOND
@FAMILY
def test_guidance_split_over_two_devices(weights, tmp_path, second):
    check_split(weights, tmp_path, (CPU, second))


@FAMILY
@pytest.mark.parametrize("wire", [of_several_counts, controlled])
def test_batches_and_controlnets_split_over_two_devices(weights, tmp_path, wire):
    check_split(weights, tmp_path, (CPU, DEVICE), wire)


@pytest.mark.parametrize("name", ["flux"])
@pytest.mark.parametrize("wire", sorted({*WIRES} - {"ControlNet"}))
def test_what_is_wired_in_follows_to_the_second_device(weights, tmp_path, wire):
    check_split(weights, tmp_path, (CPU, DEVICE), WIRES[wire])


@pytest.mark.parametrize("name", ["flux"])
def test_the_main_device_may_be_the_gpu(weights, tmp_path):
    check_split(weights, tmp_path, (DEVICE, CPU), controlled)


@pytest.mark.parametrize(
    ("name", "method", "second"),
    [("flux", method, DEVICE) for method in METHODS]
    + [("sd3", "TaylorSeer", DEVICE), ("flux", "TaylorSeer", OTHER_CPU)],
    ids=str,
)
def test_temporal_acceleration_split_over_two_devices(weights, tmp_path, method, second):
    before = accelerating(method)
    check_split(weights, tmp_path, (CPU, second), of_several_counts, before=before)


@pytest.mark.parametrize("name", ["flux"])
def test_temporal_acceleration_behind_the_split(weights, tmp_path):
    after = accelerating("TaylorSeer")
    check_split(weights, tmp_path, (CPU, DEVICE), after=after)


def accelerating(method):
    return lambda model: accelerated(model, METHODS[method])


@pytest.mark.parametrize("name", ["flux"])
@SECOND
def test_without_guidance_the_second_device_idles_also_for_a_batch(weights, tmp_path, second):
    expected, _ = run(tiny.load_model(weights), pair, cfg=1.0)
    with devices(CPU, second):
        both = split(load_file(weights, tmp_path))
        calls = Calls(copies_of(both)[0])
        samples, _ = run(both, pair, cfg=1.0)
    assert torch.equal(samples, expected) and not calls.tokens


CHOSEN = {"gpu:1": (CPU, DEVICE), "cpu": (DEVICE, CPU)}
CHOICES = [
    (name, choice, of_several_counts, chained)
    for choice in CHOSEN
    for name, chained in (("flux", None), ("sd3", None), ("flux", accelerating("TaylorSeer")))
]


@pytest.mark.parametrize(
    ("name", "choice", "wire", "chained"), [*CHOICES, ("flux", "gpu:1", controlled, None)]
)
def test_a_model_on_a_chosen_device(weights, tmp_path, choice, wire, chained):
    expected, mask = run(tiny.load_model(weights), wire, chained=chained)
    with devices(*CHOSEN[choice]):
        model = placed(load_file(weights, tmp_path), choice)
        samples, same_mask = run(model, wire, chained=chained)
        assert place_of(model) == CHOSEN[choice][1]
        samples, same_mask = samples.cpu(), same_mask.cpu()
    assert torch.equal(mask, same_mask) and torch.equal(samples, expected)


@pytest.mark.parametrize("name", ["flux"])
def test_a_model_of_no_file_is_refused_by_name(weights):
    """As loaders of quantised weights make it."""
    model = tiny.load_model(weights)
    with devices(CPU, OTHER_CPU):
        with pytest.raises(RuntimeError, match="does not support multigpu"):
            split(model)
