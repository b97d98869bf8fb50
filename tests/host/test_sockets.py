"""Whatever an any-switch or queued JSON puts on a socket is refused in one sentence, or sampled."""

from __future__ import annotations

import re

import comfy.samplers
import pytest
import torch
from comfy_extras.nodes_custom_sampler import Noise_RandomNoise

from driving import guider_for, quick_schedule, schedule_for
from lab.models import tiny
from ralu_pack.nodes import NODES
from ralu_pack.nodes.apply import Apply
from ralu_pack.nodes.edge_mask_preview import EdgeMaskPreview
from ralu_pack.nodes.encode_lettering import EncodeLettering
from ralu_pack.nodes.fit_enlarger import FitEnlarger
from ralu_pack.nodes.host.sockets import check_sockets
from ralu_pack.nodes.host.widgets import settings_of
from ralu_pack.nodes.sampler import Sampler
from ralu_pack.nodes.sampler_advanced import SamplerAdvanced
from ralu_pack.nodes.schedule import Schedule
from ralu_pack.nodes.temporal_acceleration import TemporalAcceleration

COUNTS = ("steps_1", "steps_2", "steps_3", "plain_steps")
WRONG = {
    "text": "FLUX 5x",
    "nothing written": "",
    "zero": 0,
    "number": 3.5,
    "dict": {"steps": [4, 5, 6]},
    "empty dict": {},
    "list": [4, 5, 6],
    "empty list": [],
    "SIGMAS": torch.linspace(1, 0, 10),
    "function": len,
}


def given(node, model, vae) -> dict:
    """All sockets of a node connected, and widgets that have no default."""
    latent = {"samples": torch.zeros(1, 16, 32, 32)}
    shared = {"latent_image": latent, "vae": vae, "denoise": 1.0, "schedule": schedule_for(model)}
    return {
        Sampler: {
            "model": model,
            "positive": tiny.conditioning(5),
            "negative": tiny.conditioning(6),
            "region_mask": torch.ones(1, 256, 256),
            "seed": 7,
            "cfg": 2.0,
            "sampler_name": "euler",
            **shared,
        },
        SamplerAdvanced: {
            "noise": Noise_RandomNoise(7),
            "guider": guider_for(model),
            "sampler": comfy.samplers.sampler_object("euler"),
            "region_mask": torch.ones(1, 256, 256),
            **shared,
        },
        Schedule: {
            "model": model,
            "preset": "FLUX 5x",
            "shifts": "match the model",
            "width": 1024,
            "height": 1024,
        },
        Apply: {
            "model": model,
            "vae": vae,
            "schedule": schedule_for(model),
            "region_mask": torch.ones(1, 256, 256),
        },
        FitEnlarger: {"vae": vae, "image": torch.rand(4, 128, 128, 3)},
        EncodeLettering: {"clip": model, "text": "a sign"},
        EdgeMaskPreview: {"ratio": 0.3, "latent": latent, "vae": vae},
        TemporalAcceleration: {
            "model": model,
            "method": "TaylorSeer",
            "interval": 2,
            "order": 1,
            "warm_up": 1,
            "threshold": 0.2,
        },
    }[node]


WIDGETS = {"INT", "FLOAT", "COMBO", "BOOLEAN", "STRING"}
SOCKETS = [
    (node, one.id)
    for node in NODES
    for one in node.define_schema().inputs
    if one.get_io_type() not in WIDGETS
] + [(EdgeMaskPreview, "image")]


@pytest.mark.parametrize(("node", "socket"), SOCKETS, ids=lambda one: getattr(one, "__name__", one))
@pytest.mark.parametrize("value", WRONG.values(), ids=WRONG)
def test_a_wrong_type_is_told_in_one_sentence(flux, vae, node, socket, value):
    wires = {**given(node, flux, vae), socket: value}
    if (node, socket) == (EdgeMaskPreview, "image"):
        wires = {"ratio": 0.3, "image": value}
    with pytest.raises(ValueError) as raised:
        node.execute(**wires)
    message = str(raised.value)
    assert re.search(rf"\b{socket}\b", message), message
    assert message.endswith(".") and message.count(". ") == 0 and ": " in message


@pytest.mark.parametrize(
    ("node", "socket"),
    [(node, one) for node, one in SOCKETS if one not in ("image", "vae")],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_nothing_is_told_or_taken(flux, vae, node, socket):
    optional = {one.id for one in node.define_schema().inputs if one.optional}
    wires = {**given(node, flux, vae), socket: None}
    if socket in optional - {"latent"}:
        node.execute(**wires)
    else:
        with pytest.raises(ValueError, match="connect"):
            node.execute(**wires)


@pytest.mark.parametrize(
    ("socket", "value"),
    [
        ("positive", [[None, {"pooled_output": torch.ones(1, 8)}]]),
        ("latent", {"samples": torch.ones(1, 16, 2, 2), "noise_mask": None}),
        ("region_mask", torch.ones(4, 4)),
    ],
)
def test_what_the_host_takes_too_is_taken(socket, value):
    check_sockets(**{socket: value})


@pytest.mark.parametrize(
    ("socket", "value", "told"),
    [
        ("positive", [[torch.ones(1, 8, 64)]], "a list"),
        ("latent", {"samples": torch.ones(1, 16, 2, 2), "noise_mask": "white"}, "a dict"),
        ("model", "flux" * 20, r"str 'fluxfluxfluxfluxfluxfluxfluxfluxflux\.\.\."),
    ],
)
def test_what_is_amiss_inside_is_told_in_a_few_words(socket, value, told):
    with pytest.raises(ValueError, match=f"The socket {socket} takes .*, got {told}: connect"):
        check_sockets(**{socket: value})


def test_a_schedule_of_another_copy_of_the_pack(flux, vae):
    plan = quick_schedule()
    foreign = type("Plan", (), dict(plan.__dict__))()
    wires = given(SamplerAdvanced, flux, vae)
    with pytest.raises(ValueError, match="schedule of this pack, got a Plan: connect RALU NT-M"):
        SamplerAdvanced.execute(**{**wires, "schedule": foreign})


@pytest.mark.parametrize("value", [None, "1", float("nan"), [1.0]], ids=repr)
@pytest.mark.parametrize("widget", ["seed", "cfg", "denoise", "edge_threshold"])
def test_a_wire_in_the_place_of_a_number(flux, vae, widget, value):
    with pytest.raises(ValueError, match=f"The {widget} must be a number, got"):
        Sampler.execute(**{**given(Sampler, flux, vae), widget: value})


@pytest.mark.parametrize(
    ("ends", "told"),
    [
        ({"end_sigma_1": "0.7"}, "The end_sigma_1 must be a number, got str '0.7'"),
        ({"end_sigma_2": None}, "The end_sigma_2 must be a number, got nothing"),
        ({"end_sigma_1": 0.995}, "must end at a noise level above 0 and up to 0.99, got 0.995"),
        ({"end_sigma_1": 0.5}, "got 0.5 and 0.55: set end_sigma_2 below"),
    ],
)
def test_a_wire_in_the_place_of_an_end(flux, vae, ends, told):
    wires = {**given(Schedule, flux, vae), "model": None, **ends}
    with pytest.raises(ValueError, match=told):
        Schedule.execute(**wires)


def test_a_batch_that_is_not_numbered_whole(flux, vae):
    wires = given(Sampler, flux, vae)
    latent = {"samples": torch.zeros(3, 16, 32, 32), "batch_index": [0, 1]}
    with pytest.raises(ValueError, match="must number each of its 3 pictures, got 2 numbers"):
        Sampler.execute(**{**wires, "latent_image": latent})


def test_a_negative_seed_by_a_wire_is_a_seed(flux, vae):
    """As in a KSampler, also where stages draw noise of their own."""
    wires = given(Sampler, flux, vae)
    one, other = (Sampler.execute(**{**wires, "seed": s}).args[0]["samples"] for s in (-1, -2))
    assert torch.isfinite(one).all() and not torch.equal(one, other)
    with pytest.raises(ValueError, match="The seed must be a whole number"):
        Sampler.execute(**{**wires, "seed": 1.5})


@pytest.mark.parametrize("value", [None, "x"], ids=repr)
@pytest.mark.parametrize(
    "widget", ["threshold", "range_start", "range_end", "cached_ratio", "max_memory", "interval"]
)
def test_a_wire_in_the_place_of_an_accelerations_number(flux, vae, widget, value):
    wires = {**given(TemporalAcceleration, flux, vae), widget: value}
    with pytest.raises(ValueError, match=f"The {widget} must be a number, got"):
        TemporalAcceleration.execute(**wires)


@pytest.mark.parametrize("value", [-5, 2.5, float("inf")], ids=repr)
@pytest.mark.parametrize(
    ("node", "widget"),
    [
        (Sampler, "plain_steps"),
        (SamplerAdvanced, "plain_steps"),
        (Schedule, "steps_2"),
        (Schedule, "plain_steps"),
        *((TemporalAcceleration, name) for name in ("interval", "order", "warm_up")),
    ],
    ids=lambda one: getattr(one, "__name__", one),
)
def test_a_wire_in_the_place_of_a_count(flux, vae, node, widget, value):
    """As any-switches bring it; what counts nothing is told before anything runs."""
    told = f"The {widget} must be a whole number from 0 on, got .*: set it anew"
    with pytest.raises(ValueError, match=told):
        node.execute(**{**given(node, flux, vae), widget: value})


def test_whole_numbers_may_come_with_a_point(flux, vae):
    """As an any-switch brings them out of a node that calculates."""
    whole, pointed = (
        Schedule.execute(**given(Schedule, flux, vae), **dict.fromkeys(COUNTS, value)).args
        for value in (6, 6.0)
    )
    assert whole[0] == pointed[0] and whole[2] == pointed[2]
    steps = [settings_of(plain_steps=one).own.steps for one in (20, 20.0)]
    assert steps == [20, 20] and {type(one) for one in steps} == {int}


@pytest.mark.parametrize("value", [None, 1, ["canny"], {}], ids=repr)
@pytest.mark.parametrize("widget", ["edge_detector", "upsampling", "quality", "sampler_name"])
def test_a_wire_in_the_place_of_a_choice(flux, vae, widget, value):
    with pytest.raises(ValueError, match="must be"):
        Sampler.execute(**{**given(Sampler, flux, vae), widget: value})
