"""`make demo` as a user runs it, and the parts of it that need no server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch
from PIL import Image

from lab.bench.counting import counted
from lab.comfy import HostError, workflow
from lab.comfy.locate import REPOSITORY
from lab.models.stand_ins import STAND_INS, StandIn, load_stand_in
from lab.showcase.contact_sheet import CELL, OUTLINE, outline
from lab.showcase.demo import SHOWN, Shown, left_out

SIDE = 128
OUTSIDE_BLOCKS = 0.015  # share of FLOPs that the table leaves out
TRAINED = [shown for shown in SHOWN if shown.stand_in.is_trained]
ROWS = {
    "flux": (
        "plain | 50 | 50 x 64 |",
        "plain | 7 | 7 x 64 |",
        "RALU, balanced | 7 | 7 x 64 |",
        "paper, 5x | 15 | 4 x 16, 5 x 25, 6 x 64 |",
        "paper, 7x | 10 | 2 x 16, 3 x 19, 5 x 64 |",
    ),
    "sd3": (
        "plain | 28 | 28 x 64 |",
        "plain | 7 | 7 x 64 |",
        "RALU, balanced | 7 | 7 x 64 |",
        "paper, 2x | 20 | 5 x 16, 6 x 28, 9 x 64 |",
        "paper, 3x | 12 | 3 x 16, 3 x 25, 6 x 64 |",
    ),
}


def run_demo(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lab.showcase.demo", *arguments]
    env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
    return subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True)


def test_demo_writes_pictures_and_counts(tmp_path):
    prompts = ("fox face on blue", "red apple")
    done = run_demo("--size", str(SIDE), "--out", str(tmp_path), "--prompts", *prompts)
    assert done.returncode == 0, done.stderr
    table = (tmp_path / "table.md").read_text()
    assert table in done.stdout + "\n"
    lines = [" ".join(line.split()) for line in table.splitlines()]
    assert TRAINED
    for shown in TRAINED:
        for row in ROWS[shown.miniature.kind]:
            assert any(f"| {shown.miniature.title}, {row}" in line for line in lines), row
        for name in shown.workflows:
            pictures = [tmp_path / f"{name}{number}.png" for number in ("", "_2")]
            assert len({picture.read_bytes() for picture in pictures}) == 2
            for picture in (*pictures, *(p.with_stem(f"{p.stem}_edges") for p in pictures)):
                assert Image.open(picture).size == (SIDE, SIDE)
    sheet = Image.open(tmp_path / "contact_sheet.png")
    assert sheet.width > 6 * CELL and sheet.height > 2 * len(TRAINED) * CELL


def test_models_without_a_miniature_are_named():
    (sentence,) = left_out([Shown("flux1-schnell.safetensors", 4, ()), *TRAINED])
    assert sentence.startswith("FLUX.1-schnell is left out")


@pytest.mark.parametrize("shown", TRAINED, ids=lambda shown: shown.miniature.name)
def test_flops_of_the_table_are_those_of_the_network(shown):
    model, clip, _ = load_stand_in(shown.file, trained=True)
    [[context, options]] = clip.encode_from_tokens_scheduled("fox face")
    network, zero = model.model.diffusion_model.float(), torch.zeros(1)
    latent, pooled = torch.zeros(1, 16, 16, 16), options["pooled_output"]
    _, count = counted(network, latent, zero, context=context, y=pooled, guidance=zero)
    assert shown.miniature.architecture.cost.flops(64) == pytest.approx(
        count.total, rel=OUTSIDE_BLOCKS
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "sentence"),
    [
        ((), {"COMFYUI_PATH": "/nowhere"}, "/nowhere is not a ComfyUI folder"),
        (("--out", "/dev/null/x"), {}, "Not a directory"),
    ],
)
def test_demo_says_what_is_wrong_in_one_line(arguments, environment, sentence):
    done = run_demo(*arguments, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith("demo: ") and done.stderr.count("\n") == 1
    assert sentence in done.stderr


def test_regions_are_outlined():
    picture, early = Image.new("RGB", (64, 64), (200, 100, 40)), Image.new("L", (64, 64))
    early.paste(255, (32, 0, 64, 32))
    shown = outline(picture, early)
    assert shown.getpixel((48, 16)) == (200, 100, 40)
    assert shown.getpixel((32, 16)) == shown.getpixel((63, 31)) == OUTLINE
    assert shown.getpixel((16, 16)) == shown.getpixel((31, 16)) == (110, 55, 22)


def test_only_what_a_node_needs_is_kept():
    def entry(*links: str) -> dict:
        return {"class_type": "X", "inputs": {f"i{n}": [link, 0] for n, link in enumerate(links)}}

    prompt = {"a": entry(), "b": entry("a"), "c": entry("b", "a"), "d": entry("b")}
    assert workflow.only_for(prompt, "d").keys() == {"a", "b", "d"}


def test_a_text_takes_the_place_of_both_prompts():
    def entry(class_type: str, title: str, **inputs) -> dict:
        return {"class_type": class_type, "inputs": inputs, "_meta": {"title": title}}

    prompt = {
        "a": entry("CLIPTextEncode", "Prompt", text="a lighthouse"),
        "b": entry("CLIPTextEncode", "Negative prompt", text="blurry"),
        "c": entry("RALU_Sampler", "RALU Sampler", seed=1, cfg=4.0),
    }
    changed = workflow.with_text(prompt, "red apple", seed=7)
    assert [changed[node]["inputs"].get("text") for node in "abc"] == ["red apple", "", None]
    assert changed["c"]["inputs"] == {"seed": 7, "cfg": 4.0}
    assert prompt["a"]["inputs"]["text"] == "a lighthouse"


def test_workflows_that_cannot_be_converted_are_refused():
    node = {"id": 7, "type": "Known", "mode": 4, "inputs": [], "widgets_values": []}
    saved = {"nodes": [node], "links": []}
    known = {"Known": {"input": {}, "display_name": "Known"}}
    with pytest.raises(HostError, match=r"Node 7 \(Known\) is muted or bypassed"):
        workflow.to_prompt(saved, known)
    with pytest.raises(HostError, match=r"Node 7 \(Known\) is unknown to this ComfyUI"):
        workflow.to_prompt(saved, {})
    with pytest.raises(HostError, match=r"There is no workflow nothing, only .*flux_dev_5x"):
        workflow.read_workflow("nothing")


def test_missing_miniature_is_named():
    schnell = STAND_INS["flux1-schnell.safetensors"]
    assert not schnell.is_trained and isinstance(schnell, StandIn)
    with pytest.raises(HostError, match=r"FLUX\.1-schnell has no trained miniature"):
        load_stand_in("flux1-schnell.safetensors", trained=True)
