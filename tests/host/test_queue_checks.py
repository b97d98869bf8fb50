"""What is refused when a prompt is queued, by the host's own check of a prompt."""

from __future__ import annotations

import asyncio
import json

import cv2
import execution
import nodes as host_nodes
import pytest
from comfy_api.latest import io

from ralu_pack.nodes import NODES

LINK = ["0", 0]
LEFT_OUT = object()  # in the place of an input's value
SAMPLERS = ("RALU_Sampler", "RALU_SamplerAdvanced", "RALU_Apply")


class Anything(io.ComfyNode):
    """Stands for whatever is wired to a socket."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="TestAnything", category="test", outputs=[io.AnyType.Output("anything")]
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        return io.NodeOutput(None)


@pytest.fixture(autouse=True)
def registered(monkeypatch):
    known = {node.define_schema().node_id: node for node in [*NODES, Anything]}
    monkeypatch.setattr(
        host_nodes, "NODE_CLASS_MAPPINGS", {**host_nodes.NODE_CLASS_MAPPINGS, **known}
    )


def refusals(node_id: str, **inputs) -> str:
    """What the host says against a node with its required sockets wired; "" where it takes it."""
    (node,) = [one for one in NODES if one.define_schema().node_id == node_id]
    filled: dict = {}
    for one in node.define_schema().inputs:
        if isinstance(one, io.WidgetInput):
            default = getattr(one, "default", None)
            filled[one.id] = one.options[0] if default is None else default
        elif not one.optional:
            filled[one.id] = LINK
    given = {**filled, **inputs}
    prompt = {
        "0": {"class_type": "TestAnything", "inputs": {}},
        "1": {
            "class_type": node_id,
            "inputs": {k: v for k, v in given.items() if v is not LEFT_OUT},
        },
    }
    prompt = json.loads(json.dumps(prompt))
    valid, errors, _ = asyncio.run(execution.validate_inputs("id", prompt, "1", {}))
    told = " ".join(error["details"] for error in errors)
    assert bool(told) is not valid
    return told


NO_VAE = "so RALU needs a VAE: connect one, or set the detector to"


@pytest.mark.parametrize("node", SAMPLERS)
@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({}, ""),
        ({"edge_detector": "canny", "quality": "paper"}, NO_VAE),
        ({"edge_detector": "canny_gpu", "schedule": LINK}, NO_VAE),
        ({"edge_detector": "canny", "quality": "paper", "vae": LINK}, ""),
        ({"edge_detector": LINK, "quality": "paper"}, ""),
        ({"edge_detector": "canny", "quality": "balanced"}, ""),
        ({"edge_detector": "sobel"}, "Edge detector must be one of canny,"),
        ({"quality": "custom"}, "custom takes its plan from the socket schedule, and nothing is"),
        ({"quality": "custom", "schedule": LINK}, ""),
        ({"quality": "best"}, "The quality must be one of fine, balanced, draft, paper, custom"),
        ({"quality": LINK}, ""),
    ],
)
def test_plan_and_detector_are_checked_when_queued(node, inputs, sentence):
    told = refusals(node, **inputs)
    assert sentence in told and bool(told) == bool(sentence)


REQUIRED = [
    (node.define_schema().node_id, one.id)
    for node in NODES
    for one in node.define_schema().inputs
    if not one.optional
]


@pytest.mark.parametrize(("node", "name"), REQUIRED)
def test_what_is_left_out_is_named_by_the_host(node, name):
    """In its own words, as a prompt written by hand is answered for any node."""
    assert refusals(node, **{name: LEFT_OUT}) == name


def test_no_vae_is_needed_where_nothing_grows_early():
    assert refusals("RALU_Sampler", edge_detector="canny", denoise=0.5) == ""
    plain = {"edge_detector": "canny", "quality": "paper"}
    assert refusals("RALU_Sampler", **plain, plain_steps=6) == ""  # which Mage-Flow takes plainly
    assert NO_VAE in refusals("RALU_Sampler", **plain, plain_steps=7)
    assert NO_VAE in refusals("RALU_Sampler", **plain, plain_steps=2, schedule=LINK)
    assert "Denoise must lie between 0.01 and 1" in refusals("RALU_Sampler", denoise=2.0)


@pytest.mark.parametrize(
    ("inputs", "sentence"),
    [
        ({"end_sigma_1": 0.6, "end_sigma_2": 0.7}, "got 0.6 and 0.7: set end_sigma_2 below"),
        ({"end_sigma_1": 0.5}, "got 0.5 and 0.55: set end_sigma_2 below"),
        ({"end_sigma_1": 0.5, "model": LINK}, ""),  # its shift may move the other end
        ({"end_sigma_1": 0.5, "end_sigma_2": LINK}, ""),
        ({"end_sigma_1": 1.5}, "must end at a noise level above 0 and up to 0.99, got 1.5"),
        ({"preset": "FLUX 6x"}, "A preset must be one of FLUX 5x,"),
        ({"preset": LINK, "end_sigma_1": 0.5}, ""),
    ],
)
def test_ends_are_checked_when_queued(inputs, sentence):
    told = refusals("RALU_Schedule", **inputs)
    assert sentence in told and bool(told) == bool(sentence)


def test_a_broken_opencv_is_told_when_queued_and_only_where_it_is_chosen(monkeypatch):
    monkeypatch.delattr(cv2, "Canny")
    wires = {"vae": LINK, "quality": "paper"}
    told = refusals("RALU_Sampler", edge_detector="canny", **wires)
    assert "needs OpenCV, and this Python's cannot be used" in told
    assert refusals("RALU_Sampler", **wires) == ""  # auto takes the same edges without it
