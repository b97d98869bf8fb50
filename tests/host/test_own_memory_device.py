"""Whole runs on a device with memory of its own: nothing is mixed up, and nothing waits for it."""

from __future__ import annotations

import copy
import gc
import itertools
import os
from collections import Counter

import comfy.model_management
import comfy.samplers
import pytest
import torch
from accelerating import METHODS, accelerated
from comfy.patcher_extension import WrappersMP
from controls import applied, hint
from limits import LATENT, noise, scattered
from own_memory_device import DEVICE, separate_device
from wires import PROMPT, WIRES, middle, picture

from driving import SHIFT, mixed_call, plain, ralu, schedule_for
from driving import family as name_of
from lab.models import tiny
from lab.models.controlnets import controlnet
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.host.shared_runs import steps_of_whole
from ralu_pack.nodes.host.showing.overlay import Overlay
from ralu_pack.ralu_core.latents.views import PAPER, VIEWS
from ralu_pack.ralu_core.plans import own_noise

# The device stands in for no version of the host: an older one has these with the slow tests.
pytestmark = [pytest.mark.slow] if os.environ.get("RALU_HOST") == "0.3.75" else []
CPU = torch.device("cpu")
SHORT, LONG = 2, 3  # steps of a stage


def of_several_counts(model, vae) -> dict:
    """Pictures with different numbers of tokens in stage 2."""
    mask = torch.zeros(3, 256, 256)
    for item, side in enumerate((32, 160, 224)):
        mask[item, :side, :side] = 1
    return {"batch": 3, "cfg": 2.0, "region_mask": mask}


@pytest.fixture(scope="module")
def fill_weights():
    return tiny.flux_weights(seed=40, in_channels=96)


def filled(model, vae) -> dict:
    values = {"concat_latent_image": picture(), "concat_mask": middle()}
    latent = {"samples": picture(), "noise_mask": middle()}
    return {"latent": latent, "positive": tiny.with_values(PROMPT, **values)}


def controlled_sd3(model, vae) -> dict:
    net = controlnet(model, "sd3")
    return {"positive": applied(net, vae, end=0.6, image=hint(size=(256, 256)))[0], "cfg": 2.0}


OF_BOTH = {
    "plain": lambda model, vae: {},
    "odd size": lambda model, vae: {"size": (248, 200)},
    "batch of several counts": of_several_counts,
    "one region mask": lambda model, vae: {"region_mask": torch.ones(1, 256, 256)},
    "canny_gpu": lambda model, vae: {"edge_detector": "canny_gpu"},
    "latent_gradient": lambda model, vae: {"edge_detector": "latent_gradient"},
    "lanczos": lambda model, vae: {"upsampling": "lanczos"},
    "dpmpp_2m": lambda model, vae: {"sampler_name": "dpmpp_2m"},
    "dpmpp_sde": lambda model, vae: {"sampler_name": "dpmpp_sde"},
    "own noise": lambda model, vae: {"schedule": own_noise(SHIFT[name_of(model)], (2, 2))},
    "views": lambda model, vae: {"schedule": schedule_for(model).seeing(VIEWS)},
}
OF_SD3 = ("batch of several counts", "own noise", "views")
RUNS = (
    [("flux", name, wire) for name, wire in {**OF_BOTH, **WIRES}.items()]
    + [("sd3", name, OF_BOTH[name]) for name in OF_SD3]
    + [("sd3", "ControlNet", controlled_sd3), ("fill", "inpaint", filled)]
)
PLACED = {"plain", "odd size", "batch of several counts", "inpaint", *WIRES}
FLUX_RUNS = [run for run in RUNS if run[0] != "sd3" and run[1] in PLACED]
# Each of these takes several whole runs, so one of each kind is no slow test.
OFTEN = ("plain", "batch of several counts", "inpaint", "TeaCache", "ToCa", "sd3")
# Each method on one family, in turn.
ACCELERATED = list(zip(METHODS, itertools.cycle(["flux", "sd3"]), strict=False))


@pytest.mark.parametrize(("family", "name", "wire"), RUNS, ids=[f"{f}-{n}" for f, n, _ in RUNS])
def test_runs_are_those_of_the_cpu(request, family, name, wire):
    weights = request.getfixturevalue(f"{family}_weights")
    expected, mask = _run(weights, wire)
    with separate_device():
        samples, same_mask = _run(weights, wire, DEVICE)
    assert torch.equal(mask, same_mask)
    torch.testing.assert_close(samples, expected, atol=1e-3, rtol=0)


def rarely(name: str, *values):
    """A case that runs with the slow tests, unless OFTEN has its name."""
    return pytest.param(*values, id=name, marks=[] if name in OFTEN else pytest.mark.slow)


@pytest.mark.parametrize(("family", "name", "wire"), [rarely(run[1], *run) for run in FLUX_RUNS])
def test_runs_are_the_same_where_all_lies_on_the_device(request, family, name, wire):
    def with_latent(place):
        def wired(model, vae) -> dict:
            options = wire(model, vae)
            h, w = options.pop("size", (256, 256))
            empty = torch.zeros(options.get("batch", 1), 16, h // 8, w // 8)
            latent = {"samples": empty, **options.get("latent", {})}
            return {**options, "latent": {name: one.to(place) for name, one in latent.items()}}

        return wired

    weights = request.getfixturevalue(f"{family}_weights")
    expected, mask = _run(weights, with_latent(CPU))
    with separate_device(gpu_only=True):
        samples, same_mask = _run(weights, with_latent(DEVICE), DEVICE)
        assert samples.device == DEVICE
        samples, same_mask = samples.cpu(), same_mask.cpu()
    assert torch.equal(mask, same_mask)
    torch.testing.assert_close(samples, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize("family", ["flux", "sd3"])
def test_runs_of_offloaded_weights_are_those_of_the_cpu(request, family):
    weights = request.getfixturevalue(f"{family}_weights")
    expected, _ = _run(weights, of_several_counts)
    with separate_device(offloaded=True) as device:
        samples, _ = _run(weights, of_several_counts)
        assert device.waits  # so it was in use
    torch.testing.assert_close(samples, expected, atol=1e-3, rtol=0)


@pytest.mark.parametrize(("method", "family"), ACCELERATED)
def test_accelerated_runs_are_those_of_the_cpu(request, family, method):
    weights, settings = request.getfixturevalue(f"{family}_weights"), METHODS[method]
    expected, _ = _run(weights, of_several_counts, settings=settings)
    with separate_device():
        samples, _ = _run(weights, of_several_counts, DEVICE, settings)
    torch.testing.assert_close(samples, expected, atol=1e-3, rtol=0)


def _run(weights, wire, weights_lie_on=CPU, settings=None):
    model, vae = _loaded(weights)
    used = model if settings is None else accelerated(model, settings)
    outputs = ralu(used, vae, **{"schedule": schedule_for(model), **wire(model, vae)})
    assert next(model.model.parameters()).device == weights_lie_on
    return outputs


def _loaded(weights):
    return tiny.load_model(weights), tiny.narrow_taesd(seed=3)


def test_concat_channels_may_still_lie_on_the_cpu(fill_weights):
    """As the host takes them of any node: it moves them itself, within the call."""
    with separate_device():
        model, _ = _loaded(fill_weights)
        comfy.model_management.load_models_gpu([model])
        call = mixed_call(model, scattered().to(DEVICE))
        options = {"wrappers": {WrappersMP.APPLY_MODEL: {"ralu": [call]}}}
        values = torch.ones(2, 80, *LATENT)
        [[context, more]] = tiny.conditioning(5, batch=2)
        there, here = (
            model.model.apply_model(
                noise().to(DEVICE),
                torch.full((2,), 0.8, device=DEVICE),
                c_concat=concat,
                c_crossattn=context,
                y=more["pooled_output"].to(DEVICE),
                guidance=torch.full((2,), 3.5, device=DEVICE),
                transformer_options=options,
            )
            for concat in (values.to(DEVICE), values)
        )
        assert torch.equal(there, here)


@pytest.mark.parametrize("detector", ["canny", "canny_gpu"])
def test_a_picture_is_previewed(detector):
    picture = torch.zeros(1, 256, 256, 3)
    picture[:, 72:184, 72:184] = 1
    expected = EdgeMaskPreview.execute(0.2, detector, image=picture).args[0]
    for gpu_only, place in ((False, CPU), (True, DEVICE)):
        with separate_device(gpu_only=gpu_only):
            mask = EdgeMaskPreview.execute(0.2, detector, image=picture.to(place)).args[0]
            assert torch.equal(mask.cpu(), expected)


def test_a_picture_under_the_regions_is_shrunk_on_the_cpu():
    """As not every device can."""
    picture, chosen = torch.rand(1, 600, 600, 3), torch.rand(1, 16, 16) < 0.5
    with separate_device() as device:
        del device.waits[:]
        there = Overlay.of(picture.to(DEVICE), chosen.to(DEVICE))
        assert there.picture.device == CPU and set(device.waits) <= {"to", "_to_copy"}
        assert torch.equal(there.drawn, Overlay.of(picture, chosen).drawn)


def test_the_run_of_a_part_is_found_without_the_device(flux_weights):
    with separate_device() as device:
        sampling = _loaded(flux_weights)[0].get_model_object("model_sampling")
        part = comfy.samplers.calculate_sigmas(sampling, "simple", 20)[5:12]
        euler = comfy.samplers.sampler_object("euler")
        there = copy.deepcopy(sampling).to(DEVICE)
        del device.waits[:]
        assert steps_of_whole(there, part, euler) == 20
        assert len(device.waits) <= len(list(there.buffers()))


def _waits(device, model, vae, *steps: int, views: str = PAPER, **options) -> Counter:
    del device.waits[:]
    ralu(model, vae, schedule=schedule_for(model, steps=steps).seeing(views), **options)
    return Counter(device.waits)


def _of_one_more_step(device, model, vae, **options) -> list[Counter]:
    """What one more step adds in each stage."""
    short = (SHORT, SHORT, SHORT)
    _waits(device, model, vae, *short, **options)  # loads the models
    base = _waits(device, model, vae, *short, **options)
    longer = [[LONG if stage == i else SHORT for i in range(3)] for stage in range(3)]
    return [_waits(device, model, vae, *steps, **options) - base for steps in longer]


STEPS = [
    ("flux", 1.0, PAPER),
    ("sd3", 3.0, PAPER),
    pytest.param("flux", 3.0, PAPER, marks=pytest.mark.slow),
    pytest.param("sd3", 1.0, PAPER, marks=pytest.mark.slow),
]


# ComfyUI computes Flux's rotations on the CPU where the device has no float64, and views need more.
@pytest.mark.parametrize(("family", "cfg", "views"), [*STEPS, ("sd3", 1.0, VIEWS)])
def test_a_step_waits_no_more_often_than_a_plain_one(request, family, cfg, views):
    with separate_device() as device:
        model, vae = _loaded(request.getfixturevalue(f"{family}_weights"))

        def in_plain(steps: int) -> Counter:
            x = torch.randn(1, 16, 32, 32, generator=torch.Generator().manual_seed(1))
            del device.waits[:]
            plain(model, x, cfg=cfg, sigmas=torch.linspace(1, 0, steps + 1))
            return Counter(device.waits)

        of_stages = _of_one_more_step(device, model, vae, cfg=cfg, views=views)
        assert of_stages == [in_plain(LONG) - in_plain(SHORT)] * 3


@pytest.mark.parametrize("family", [rarely(name, name) for name in ("flux", "sd3")])
def test_pictures_of_several_counts_wait_for_the_hosts_own_copies_alone(request, family):
    with separate_device() as device:
        model, vae = _loaded(request.getfixturevalue(f"{family}_weights"))
        options = of_several_counts(model, vae)
        first, mixed, last = _of_one_more_step(device, model, vae, **options)
        assert first == last and mixed == Counter({name: 3 * n for name, n in first.items()})


@pytest.mark.parametrize("settings", [rarely(*method) for method in METHODS.items()])
def test_only_teacache_waits_for_the_device(flux_weights, settings):
    """Once in a call that it decides about; it always computes a stage's first and last step."""
    with separate_device() as device:
        model, vae = _loaded(flux_weights)
        _waits(device, model, vae, 4, 4, 4)
        without = _waits(device, model, vae, 4, 4, 4)
        added = _waits(device, accelerated(model, settings), vae, 4, 4, 4) - without
        assert 0 < added.total() <= 12 if settings.method == "TeaCache" else not added


@pytest.mark.parametrize("cfg", [1.0, 3.0])
@pytest.mark.parametrize("family", ["flux", "sd3"])
def test_a_run_takes_no_more_memory_than_a_plain_one(request, family, cfg):
    """Beside the half-size decode, which takes a quarter of what the finished picture's takes."""
    with separate_device() as device:
        model, vae = _loaded(request.getfixturevalue(f"{family}_weights"))
        options = {"schedule": schedule_for(model), "edge_detector": "latent_gradient", "cfg": cfg}
        x = torch.randn(1, 16, 64, 64, generator=torch.Generator().manual_seed(1))

        def peak(run) -> int:
            gc.collect()
            device.memory.peak = 0
            run()
            return device.memory.peak

        plain(model, x, cfg=cfg)  # loads the model
        in_stages = peak(lambda: ralu(model, vae, (512, 512), **options))
        # Each stage's options hold the noise levels of the whole run, a number of four bytes each.
        levels = 4 * sum(len(stage.sigmas) for stage in options["schedule"].stages)
        assert in_stages <= peak(lambda: plain(model, x, cfg=cfg)) + levels
