"""Workflow files for the server's HTTP interface: from what the frontend saves to a prompt."""

from __future__ import annotations

import copy
import json
from typing import Any

from lab.comfy import HostError
from lab.comfy.locate import REPOSITORY

WORKFLOWS = REPOSITORY / "workflows"
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO")
VIEWS = {"IMAGECOMPARE": {"__value__": ["", ""]}}  # widgets that only show: sent so, not saved
NOTES = ("MarkdownNote", "Note")
CONTROL = "fixed"  # of control_after_generate
SAMPLERS = ("KSampler", "RALU_Sampler", "RALU_SamplerAdvanced")
Prompt = dict[str, dict[str, Any]]


def read_workflow(name: str) -> dict[str, Any]:
    """The workflow file of that name, without ".json"."""
    path = WORKFLOWS / f"{name}.json"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in WORKFLOWS.glob("*.json")))
        raise HostError(f"There is no workflow {name}, only {names}: choose one of them.")
    return json.loads(path.read_text(encoding="utf-8"))


def node_inputs(info: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    """(name, specification) of a node's inputs, in the order of its widgets; without VIEWS."""
    return [(name, spec) for name, spec in _all_inputs(info) if str(spec[0]) not in VIEWS]


def _all_inputs(info: dict[str, Any]) -> list[tuple[str, list[Any]]]:
    groups = (info["input"].get(group, {}) for group in ("required", "optional"))
    return [item for group in groups for item in group.items()]


def is_widget(spec: list[Any]) -> bool:
    """Whether an input is a widget, and not only a socket."""
    forced = len(spec) > 1 and spec[1].get("forceInput", False)
    return not forced and (isinstance(spec[0], list) or spec[0] in WIDGETS)


def controlled(name: str, spec: list[Any]) -> bool:
    """Whether a "control after generate" widget follows this input."""
    asked = len(spec) > 1 and spec[1].get("control_after_generate", False)
    return bool(asked) or (spec[0] == "INT" and name in ("seed", "noise_seed"))


def widget_names(info: dict[str, Any]) -> list[str | None]:
    """What each place of widgets_values belongs to; None for what the server does not get."""
    names: list[str | None] = []
    uploads = False
    for name, spec in node_inputs(info):
        if is_widget(spec):
            names += [name, None] if controlled(name, spec) else [name]
            uploads |= len(spec) > 1 and bool(spec[1].get("image_upload", False))
    return [*names, None] if uploads else names


def to_prompt(workflow: dict[str, Any], object_info: dict[str, Any]) -> Prompt:
    """A workflow in API format, as the frontend's graphToPrompt makes it.

    Raises HostError for what the files here do not use: unknown nodes, muted or bypassed ones.
    """
    links = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    nodes = [node for node in workflow["nodes"] if node["type"] not in NOTES]
    return {str(node["id"]): _to_entry(node, links, object_info) for node in nodes}


def _to_entry(node: dict[str, Any], links: dict, object_info: dict[str, Any]) -> dict[str, Any]:
    info = object_info.get(node["type"])
    if info is None or node["mode"] != 0:
        state = "is unknown to this ComfyUI" if info is None else "is muted or bypassed"
        raise HostError(f"Node {node['id']} ({node['type']}) {state}: it cannot be converted.")
    names = widget_names(info)[: len(node["widgets_values"])]  # newer ones keep their defaults
    values = dict(zip(names, node["widgets_values"], strict=True))
    values.pop(None, None)
    values |= {name: VIEWS[kind] for name, (kind, *_) in _all_inputs(info) if str(kind) in VIEWS}
    for socket in node["inputs"]:
        if socket["link"] is not None:
            values[socket["name"]] = links[socket["link"]]
    title = node.get("title") or info["display_name"]
    return {"inputs": values, "class_type": node["type"], "_meta": {"title": title}}


def nodes_of(prompt: Prompt, class_type: str) -> list[str]:
    """Ids of the nodes of a class, in the file's order."""
    return [node for node, entry in prompt.items() if entry["class_type"] == class_type]


def titled(prompt: Prompt, title: str) -> str:
    """Id of the node with that title."""
    found = [node for node, entry in prompt.items() if entry["_meta"]["title"] == title]
    if len(found) != 1:
        raise HostError(f'{len(found)} nodes are titled "{title}", one is needed: edit the file.')
    return found[0]


def sources(entry: dict[str, Any]) -> list[str]:
    """Ids of the nodes that an entry is linked to."""
    return [value[0] for value in entry["inputs"].values() if isinstance(value, list)]


def only_for(prompt: Prompt, *nodes: str) -> Prompt:
    """The part of a prompt that those nodes need."""
    needed, waiting = set(), list(nodes)
    while waiting:
        node = waiting.pop()
        if node not in needed:
            needed.add(node)
            waiting += sources(prompt[node])
    return {node: entry for node, entry in prompt.items() if node in needed}


def with_size(prompt: Prompt, width: int, height: int) -> Prompt:
    """The same prompt for pictures of that many pixels, which its nodes Width and Height say or,
    without them, those that have the numbers themselves.

    Where a loaded picture decides its shape, the longer of both becomes its longer side.
    """
    changed = copy.deepcopy(prompt)
    scaled = nodes_of(changed, "ImageScaleToMaxDimension")
    for node in scaled:
        changed[node]["inputs"]["largest_size"] = max(width, height)
    if scaled:
        return changed
    for name, value in (("width", width), ("height", height)):
        titles = [entry["_meta"]["title"] for entry in changed.values()]
        if name.title() in titles:
            changed[titled(prompt, name.title())]["inputs"]["value"] = value
            continue
        for entry in changed.values():
            if isinstance(entry["inputs"].get(name), int):
                entry["inputs"][name] = value
    return changed


def with_text(prompt: Prompt, text: str, seed: int) -> Prompt:
    """The same prompt for another text, without a negative one, and for another seed."""
    changed = copy.deepcopy(prompt)
    for node in nodes_of(changed, "CLIPTextEncode"):
        is_positive = node == titled(changed, "Prompt")
        changed[node]["inputs"]["text"] = text if is_positive else ""
    for entry in changed.values():
        if entry["class_type"] in SAMPLERS:
            entry["inputs"]["seed"] = seed
    return changed


def entry_of(class_type: str, **inputs: Any) -> dict[str, Any]:
    """A node of a prompt, titled as its class."""
    return {"class_type": class_type, "inputs": inputs, "_meta": {"title": class_type}}


def as_plain(prompt: Prompt, steps: int) -> Prompt:
    """The same prompt with a KSampler in RALU's place, and only what its picture needs."""
    changed = copy.deepcopy(prompt)
    (sampler,) = nodes_of(changed, "RALU_Sampler")
    inputs = changed[sampler]["inputs"]
    shared = ("model", "positive", "negative", "latent_image", "seed", "cfg", "sampler_name")
    plain = {name: inputs[name] for name in (*shared, "denoise")}
    changed[sampler] = entry_of("KSampler", **plain, steps=steps, scheduler="simple")
    return only_for(changed, titled(changed, "Picture"))


def in_front(prompt: Prompt, quality: str) -> Prompt:
    """The same prompt of a KSampler with the node RALU on its MODEL, expert inputs at defaults."""
    changed = copy.deepcopy(prompt)
    (sampler,) = nodes_of(changed, "KSampler")
    inputs = changed[sampler]["inputs"]
    changed["ralu"] = entry_of("RALU_Apply", model=inputs["model"], quality=quality)
    inputs["model"] = ["ralu", 0]
    return changed
