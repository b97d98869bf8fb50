"""Every workflow file: its nodes, sockets, widgets, places, model files and notes."""

from __future__ import annotations

import json
import re
from itertools import combinations

import pytest
from workflow_bench import NAMES, skip_if_newer

from lab.comfy import workflow
from lab.comfy.pins import HOSTS
from lab.comfy.server import PACK_FOLDER
from lab.models import stand_in_prompt
from lab.models.stand_ins import STAND_INS
from lab.showcase.authoring import texts_wired
from lab.showcase.authoring.recipes import RECIPES
from lab.showcase.authoring.sheet import WIDEST, Sheet
from lab.showcase.authoring.workflows import DRAWINGS
from ralu_core.cost import CallCost
from ralu_core.latents.flow import shift_sigma
from ralu_core.plans.presets import PUBLISHED_SHIFT, matched_plan, preset

pytest_plugins = ["workflow_server"]

OTHERS = {"CLIPLoader", "LoraLoaderModelOnly", "ControlNetLoader", "UpscaleModelLoader"}
LOADERS = {*stand_in_prompt.LOADERS, *OTHERS}
SIDE = 1024 // 16  # tokens
SCREEN, LAPTOP, MARGIN = (1920, 1080), (1366, 768), 10
LEGIBLE = 8 / 14  # zoom at which the classic renderer draws text: 8 pixels of its 14
FILLED = 0.75  # of the screen, by a workflow that the frontend fits into it
COLLAPSED = 20  # letters of a title that the classic renderer draws of a collapsed node
LETTER = 12  # canvas units of a letter in a group's title


def note_of(name: str) -> str:
    (note,) = (
        node["widgets_values"][0]
        for node in workflow.read_workflow(name)["nodes"]
        if node.get("title") == "About this workflow"
    )
    return note


@pytest.mark.parametrize("name", NAMES)
def test_nodes_sockets_and_links_are_those_of_the_server(bench, name):
    skip_if_newer(bench, name)
    saved = workflow.read_workflow(name)
    nodes = {node["id"]: node for node in saved["nodes"]}
    assert len(nodes) == len(saved["nodes"]) == saved["last_node_id"]
    for node in nodes.values():
        if node["type"] in workflow.NOTES:
            continue
        info = bench.object_info[node["type"]]
        inputs = dict(workflow.node_inputs(info))
        missing = inputs.keys() - {socket["name"] for socket in node["inputs"]}
        assert missing <= added_later(info), node["type"]
        assert [socket["type"] for socket in node["outputs"]] == info["output"][
            : len(node["outputs"])
        ]
        required = info["input"].get("required", {})
        unlinked = [s["name"] for s in node["inputs"] if s["link"] is None and "widget" not in s]
        assert not required.keys() & set(unlinked), node["type"]
    for link, origin, out, target, slot, kind in saved["links"]:
        output, socket = nodes[origin]["outputs"][out], nodes[target]["inputs"][slot]
        assert link in output["links"] and socket["link"] == link
        assert kind == output["type"] and socket["type"] in (kind, "*")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".json", ".jpg"])
def test_the_template_browser_gets_it(bench, name, suffix):
    """The host serves one folder of a pack, `examples` before `workflows` if both are there."""
    file = workflow.WORKFLOWS / f"{name}{suffix}"
    assert bench.client.request(f"/api/workflow_templates/{PACK_FOLDER}/{file.name}") == (
        file.read_bytes()
    )


@pytest.mark.parametrize("name", NAMES)
def test_widget_values_are_complete_and_legal(bench, name):
    skip_if_newer(bench, name)
    saved = workflow.read_workflow(name)
    for node in saved["nodes"]:
        if node["type"] in workflow.NOTES:
            continue
        info = bench.object_info[node["type"]]
        names, values = workflow.widget_names(info), node["widgets_values"]
        assert set(names[len(values) :]) <= added_later(info), node["type"]
        specs = dict(workflow.node_inputs(info))
        for widget, value in zip(names[: len(values)], values, strict=True):
            if widget is None:
                assert value in (workflow.CONTROL, "image")
            else:
                check_legal(value, specs[widget], f"{node['type']}.{widget}")


def added_later(info) -> set[str]:
    """Inputs that a file of the oldest ComfyUI may lack: optional ones of newer core nodes."""
    is_core = not info["python_module"].startswith("custom_nodes")
    return set(info["input"].get("optional", {})) if is_core else set()


def check_legal(value, spec, where):
    options = spec[1] if len(spec) > 1 else {}
    choices = spec[0] if isinstance(spec[0], list) else options.get("options")
    if choices is not None:
        assert value in choices, where
    elif spec[0] in ("INT", "FLOAT"):
        assert type(value) in ((int,) if spec[0] == "INT" else (int, float)), where
        assert options.get("min", value) <= value <= options.get("max", value), where
    else:
        assert type(value) is {"STRING": str, "BOOLEAN": bool}[spec[0]], where


@pytest.mark.parametrize("name", NAMES)
def test_nodes_do_not_overlap_and_lie_in_a_group(name):
    saved = workflow.read_workflow(name)
    boxes = {node["id"]: box(node) for node in saved["nodes"]}
    for (one, a), (other, b) in combinations(boxes.items(), 2):
        assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3], (one, other)
    groups = [(x, y, x + w, y + h) for x, y, w, h in (g["bounding"] for g in saved["groups"])]
    for node, a in boxes.items():
        inside = [a[0] >= g[0] and a[1] >= g[1] and a[2] <= g[2] and a[3] <= g[3] for g in groups]
        assert sum(inside) == 1, node
    for a, b in combinations(groups, 2):
        assert a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]
    assert max(g[2] for g in groups) - min(g[0] for g in groups) <= WIDEST
    titles = [(group["title"], group["bounding"][2]) for group in saved["groups"]]
    assert all(LETTER * len(title) < width for title, width in titles)
    collapsed = [node["title"] for node in saved["nodes"] if is_collapsed(node)]
    assert all(len(title) <= COLLAPSED for title in collapsed)


@pytest.mark.parametrize(
    ("name", "screen"),
    [*((name, SCREEN) for name in NAMES), ("begin_here_flux_dev", LAPTOP)],
)
def test_text_is_drawn_as_it_opens(name, screen):
    """The frontend's own rule, of the nodes' boxes and a margin, in the classic renderer."""
    boxes = [whole_box(node) for node in workflow.read_workflow(name)["nodes"]]
    starts, ends = [[f(b[k] for b in boxes) for k in range(4)] for f in (min, max)]
    extents = [ends[k + 2] - starts[k] + 2 * MARGIN for k in range(2)]
    fits = [FILLED * pixels / extent for pixels, extent in zip(screen, extents, strict=True)]
    assert min(fits) >= LEGIBLE


def whole_box(node) -> tuple[int, int, int, int]:
    """As Nodes 2.0 counts a collapsed node, too."""
    (x, y), (w, h) = node["pos"], node["size"]
    return x, y - 30, x + w, y + h


def box(node) -> tuple[int, int, int, int]:
    """As drawn."""
    left, top, right, lower = whole_box(node)
    return left, top, right, node["pos"][1] if is_collapsed(node) else lower


def is_collapsed(node) -> bool:
    return node["flags"].get("collapsed", False)


@pytest.mark.parametrize("name", NAMES)
def test_loaders_name_files_that_say_where_they_come_from(bench, name):
    for node in workflow.read_workflow(name)["nodes"]:
        files = node["properties"].get("models", [])
        assert bool(files) == (node["type"] in LOADERS)
        for file in files:
            assert file["name"] in node["widgets_values"]
            note = note_of(name)
            assert f"*models/{file['directory']}*: [{file['name']}]({file['url']})" in note
            renamed = not file["url"].endswith(f"/{file['name']}")
            assert f"({file['url']}), to be saved under this name" in note or not renamed


@pytest.mark.parametrize("name", NAMES)
def test_file_is_what_its_author_writes(bench, name):
    if bench.server.host.version != HOSTS[-1].version:
        pytest.skip("the files are written on the oldest ComfyUI")
    sheet = Sheet(name, bench.object_info)
    DRAWINGS[name](sheet)
    written = json.loads(json.dumps(sheet.to_json()))
    assert workflow.read_workflow(name) == written, "run python -m lab.showcase.authoring"


# What the notes say


def cost_of(name: str) -> tuple[CallCost, str]:
    """The model of a workflow, and its preset."""
    nodes = workflow.read_workflow(name)["nodes"]
    files = [file["name"] for n in nodes for file in n["properties"].get("models", [])]
    (file,) = [file for file in files if file in STAND_INS]
    (chosen,) = [n["widgets_values"][0] for n in nodes if n["type"] == "RALU_Schedule"]
    return STAND_INS[file].size, chosen


def full_size_steps(name: str) -> float:
    """Full-size steps that cost what the workflow's preset costs at 1024 x 1024."""
    cost, chosen = cost_of(name)
    schedule = matched_plan(preset(chosen), PUBLISHED_SHIFT)
    return 1 / cost.speed_up(schedule, SIDE, SIDE, 1)


@pytest.mark.parametrize("name", [name for name in NAMES if "as about" in note_of(name)])
def test_note_states_what_the_preset_costs(name):
    (said,) = re.findall(r"as about (\S+)\s+full-size", note_of(name).replace("\n", " "))
    decimals = len(said.partition(".")[2])
    assert f"{full_size_steps(name):.{decimals}f}" == said


def test_every_three_stage_workflow_but_comparisons_states_its_cost():
    silent = {name for name in NAMES if "as about" not in note_of(name)}
    assert silent == {
        "begin_here_flux_dev",  # of steps alone
        "edge_mask_preview",
        "flux_dev_compare",
        "flux_dev_compare_slider",
        "flux_dev_in_front",  # of steps alone, too
        "flux_dev_taylorseer",
        "flux_dev_5x_taylorseer",
        "flux_schnell_4_steps",
        "sd3.5_large_turbo_4_steps",
        *RECIPES,  # see test_workflow_recipes.py
    }


def test_compared_plain_sampling_costs_what_its_group_says():
    saved = workflow.read_workflow("flux_dev_compare")
    titles = [group["title"] for group in saved["groups"] if "plain steps" in group["title"]]
    plain = {n["widgets_values"][2] for n in saved["nodes"] if n["type"] == "KSampler"}
    assert plain == {50, round(full_size_steps("flux_dev_compare"))}
    times = 50 / full_size_steps("flux_dev_compare")
    assert titles == [
        f"50 plain steps: {times:.1f}x the compute",
        "9 plain steps: equal compute",
    ]


def test_note_on_denoise_is_true():
    schedule = matched_plan(preset("FLUX 5x"), 3.158193)

    def run(denoise: str) -> dict[int, int]:
        assert denoise in texts_wired.DENOISE
        begun = schedule.begun_at(float(shift_sigma(3.158193, float(denoise))))
        return {stage.number: stage.steps for stage in begun.stages}

    assert [list(run(denoise)) for denoise in ("0.89", "0.88", "0.8", "0.79")] == [
        [1, 2, 3],
        [2, 3],
        [2, 3],
        [3],
    ]
    assert run("0.79") == {3: 6} and run("0.4") == {3: 4}


def test_note_on_the_second_pass_is_true():
    cost, _ = cost_of("flux_dev_two_pass")
    times = cost.flops((SIDE * 3 // 2) ** 2) / cost.flops(SIDE**2)
    assert f"each costs as much as {times:.1f} steps" in note_of("flux_dev_two_pass").replace(
        "\n", " "
    )
