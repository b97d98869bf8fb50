"""Saved workflows become prompts as the frontend makes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lab.comfy.workflow import entry_of
from lab.models.by_file import KINDS, kind_of
from lab.templates.flatten import ALWAYS, BYPASSED, MUTED, Flat
from lab.templates.package import Template
from lab.templates.running import REFUSED, RUNS, End, Outcome
from lab.templates.substitute import IN_FRONT, REPLACED, WAYS, with_ralu
from lab.templates.table import page
from lab.templates.widgets import named_values

INFO = {
    "Load": {"input": {"required": {"name": [["a", "b"], {}]}}},
    "Patch": {"input": {"required": {"model": ["MODEL", {}], "by": ["FLOAT", {"default": 1.0}]}}},
    "Use": {"input": {"required": {"model": ["MODEL", {}], "seed": ["INT", {}], "n": ["INT", {}]}}},
}


def node(id: int, kind: str, values: list, model: int | None = None, mode: int = ALWAYS, **more):
    inputs = [{"name": "model", "type": "MODEL", "link": model}] if kind != "Load" else []
    outputs = [{"name": "MODEL", "type": "MODEL"}]
    saved = {"id": id, "type": kind, "mode": mode, "widgets_values": values, "inputs": inputs}
    return {**saved, "outputs": outputs, **more}


def inner(mode: int = ALWAYS) -> dict[str, Any]:
    """A subgraph: its model passes a patch; its "name" is a loader's widget."""
    promoted = {"name": "name", "type": "COMBO", "widget": {"name": "name"}, "link": 3}
    nodes = [node(1, "Patch", [0.5], 1, mode), node(2, "Load", ["a"], inputs=[promoted])]
    ends = ((1, -10, 0, 1, 0), (2, 1, 0, -20, 0), (3, -10, 1, 2, 0))
    names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
    links = [dict(zip(names, end, strict=True)) for end in ends]
    links.append(dict(zip(names, (4, 2, 0, -20, 1), strict=True)))
    sockets = [{"name": "model"}, {"name": "name"}]
    return {"id": "sub", "inputs": sockets, "nodes": nodes, "links": links}


def workflow(mode: int = ALWAYS, inner_mode: int = ALWAYS) -> dict[str, Any]:
    """A loader, the subgraph twice over, a reroute, and what uses both of its outputs."""
    shown = {"proxyWidgets": [["-1", "name"]]}
    nodes = [
        node(1, "Load", ["a"]),
        node(2, "sub", ["b"], 1, mode, properties=shown),
        node(3, "Reroute", [], 2),
        node(4, "Use", [7, "randomize", 3], 3),
        node(5, "Use", [8, "fixed", 4], 4),
    ]
    links = [(1, 1, 0, 2, 0), (2, 2, 0, 3, 0), (3, 3, 0, 4, 0), (4, 2, 1, 5, 0)]
    subgraphs = [inner(inner_mode)]
    return {"nodes": nodes, "links": links, "definitions": {"subgraphs": subgraphs}}


def test_subgraphs_are_undone_and_keep_the_outer_values():
    prompt = Flat(workflow()).prompt(INFO)
    assert prompt["4"]["inputs"] == {"model": ["2:1", 0], "seed": 7, "n": 3}
    assert prompt["2:1"]["inputs"] == {"model": ["1", 0], "by": 0.5}
    assert prompt["5"]["inputs"]["model"] == ["2:2", 0]
    assert prompt["2:2"]["inputs"] == {"name": "b"}
    assert set(prompt) == {"1", "2:1", "2:2", "4", "5"}


@pytest.mark.parametrize(("mode", "inner_mode"), [(BYPASSED, ALWAYS), (ALWAYS, BYPASSED)])
def test_bypassed_nodes_hand_on_what_they_get(mode, inner_mode):
    assert Flat(workflow(mode, inner_mode)).prompt(INFO)["4"]["inputs"]["model"] == ["1", 0]


def test_muted_nodes_give_nothing():
    assert "model" not in Flat(workflow(MUTED)).prompt(INFO)["4"]["inputs"]


def test_a_subgraphs_own_widget_reaches_all_that_it_feeds():
    saved = workflow()
    graph = saved["definitions"]["subgraphs"][0]
    shown = node(3, "Patch", [], inputs=[{"name": "by", "type": "*", "link": 5}])
    graph["nodes"].append(shown)
    graph["links"].append({**graph["links"][2], "id": 5, "target_id": 3})
    saved["nodes"][1]["widgets_values"] = []
    prompt = Flat(saved).prompt({**INFO, "Patch": {"input": {"required": {"by": ["*", {}]}}}})
    assert prompt["2:2"]["inputs"]["name"] == prompt["2:3"]["inputs"]["by"] == "a"


def test_choices_bring_inputs_of_their_own():
    options = [
        {"key": "by", "inputs": {"required": {"factor": ["FLOAT", {"default": 2.0}]}}},
        {"key": "to", "inputs": {"required": {"w": ["INT", {}], "h": ["INT", {}]}}},
    ]
    spec = ["COMFY_DYNAMICCOMBO_V3", {"options": options}]
    info = {"input": {"required": {"size": spec, "way": ["COMBO", {"options": ["x", "y"]}]}}}
    assert named_values(info, ["to", 3, 4, "y"]) == {
        "size": "to",
        "size.w": 3,
        "size.h": 4,
        "way": "y",
    }
    assert named_values(info, ["by"]) == {"size": "by", "size.factor": 2.0, "way": "x"}


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("flux1-fill-dev.safetensors", "FLUX.1 Fill"),
        ("flux1-dev-kontext_fp8_scaled.safetensors", "FLUX.1"),
        ("qwen_image_layered_bf16.safetensors", "Qwen-Image-Layered"),
        ("FireRed-Image-Edit-1.1-transformer.safetensors", "Qwen-Image-Edit"),
        ("z_image_turbo_bf16.safetensors", "Z-Image-Turbo"),
        ("hidream_o1_image_bf16.safetensors", "HiDream-O1"),
        ("v1-5-pruned-emaonly-fp16.safetensors", None),
        ("wan2.1_t2v_1.3B_fp16.safetensors", None),
    ],
)
def test_files_have_stand_ins_by_name(file, kind):
    found = kind_of(file)
    assert (found and found.name) == kind


def test_every_stand_in_is_of_one_sort():
    sorts = [(kind.family, kind.unplaced, kind.refused) for kind in KINDS]
    assert all(sum(map(bool, sort)) == 1 for sort in sorts)
    assert len({kind.name for kind in KINDS}) == len(KINDS)


def test_the_page_counts_each_way_and_what_only_some_plans_refuse():
    template = Template("one", "One", "image", True, Path("one.json"))
    runs = End(RUNS, 1, "RALU 7 steps", ("balanced",))
    words = ("RALU's mixed stage calls", "RALU runs this MODEL", "RALU cannot run this MODEL")
    ends = [runs, *(End(REFUSED, 1, one) for one in words)]
    outcomes = [Outcome(template, ends={IN_FRONT: runs, REPLACED: end}) for end in ends]
    said = page(outcomes, "0.30.0", "0.11.27")
    assert "at *balanced*:\n  4 run;" in said
    assert "1 run, 3 are refused in one sentence, 2 of them for a model patch" in said
    assert "| `one` |  | runs: balanced | refused: RALU runs this MODEL |" in said


@pytest.mark.parametrize("way", WAYS)
def test_ralu_stands_once_at_samplers_of_one_guider(way):
    def sampler() -> dict[str, Any]:
        wired = {"noise": ["3", 0], "sampler": ["4", 0], "sigmas": ["5", 0]}
        return entry_of("SamplerCustomAdvanced", guider=["2", 0], latent_image=["6", 0], **wired)

    prompt = {
        "1": entry_of("UNETLoader", unet_name="flux1-dev.safetensors"),
        "2": entry_of("BasicGuider", model=["1", 0], conditioning=["7", 0]),
        "3": entry_of("RandomNoise"),
        "4": entry_of("KSamplerSelect"),
        "5": entry_of("BasicScheduler", steps=20, denoise=1.0),
        "6": entry_of("EmptyLatentImage"),
        "7": entry_of("CLIPTextEncode"),
        "8": sampler(),
        "9": sampler(),
        "10": entry_of("SaveImage", images=["8", 0]),
        "11": entry_of("SaveImage", images=["9", 0]),
    }
    widgets = {"quality": [["paper", "balanced"], {"default": "paper"}]}
    info = {"input": {"required": widgets}}
    known = {"RALU_Apply": info, "RALU_SamplerAdvanced": info}
    made = with_ralu(prompt, known, way)
    kinds = [entry["class_type"] for entry in made.prompt.values()]
    assert made.samplers == ["8", "9"]
    assert kinds.count("RALU_Apply") == (way == IN_FRONT)
    assert kinds.count("RALU_SamplerAdvanced") == 2 * (way == REPLACED)
    qualities = {entry["inputs"].get("quality") for entry in made.prompt.values()} - {None}
    assert qualities == {way}
