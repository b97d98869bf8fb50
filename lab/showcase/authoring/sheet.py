"""One workflow as the frontend saves it: nodes in columns, groups around them, links between."""

from __future__ import annotations

import math
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from lab.comfy.workflow import CONTROL, controlled, is_widget, node_inputs
from lab.showcase.authoring.newer import NEWER

TITLE, ROW, WIDGET, EDGE = 30, 20, 24, 12  # pixels of a node's parts
GAP, COLUMN_GAP, GROUP_EDGE, GROUP_TITLE = 30, 80, 20, 44
ROW_GAP = COLUMN_GAP - GROUP_EDGE + GROUP_TITLE + TITLE  # between nodes of two groups
WIDEST = 2400  # of a workflow that can be read as it opens
COLOUR = "#3f789e"  # of groups that say nothing of their own
FOOTER = 20  # more below a loader: one whose file is missing says so there
LINE, BLOCK, LETTER = 16, 9, 5.4  # pixels of a note's lines, paragraphs and letters
CORE_VERSION = "0.3.75"
PACK = "ralu"


@dataclass(frozen=True)
class Out:
    """An output socket to connect."""

    node: int
    slot: int
    type: str


@dataclass(frozen=True)
class ModelFile:
    """A file that a loader names, where it comes from, and its folder below models/."""

    name: str
    url: str
    directory: str


class Sheet:
    """A workflow that grows to the right, column by column, and downwards in each column.

    Groups lie beside or below one another: the frontend fits a template into the window, and its
    classic renderer draws no text below a zoom of 0.57: 1920 x 1080 hold WIDEST x 1400 pixels.

    object_info  the server's description of its nodes; use the oldest ComfyUI supported, because
                 newer ones add what is missing in a file but keep what is in it.
    """

    def __init__(self, name: str, object_info: dict[str, Any]):
        self.name, self.object_info = name, object_info
        self.nodes: list[dict[str, Any]] = []
        self.links: list[list[Any]] = []
        self.groups: list[dict[str, Any]] = []
        self._x, self._y, self._width = 0, 0, 0
        self._top = 0
        self._members: list[dict[str, Any]] = []

    def column(self, width: int, group: str = "", colour: str = COLOUR) -> None:
        """Begin a column right of the last; with `group` that of a new one, right of all others."""
        if group:
            x = max(map(_right, self.nodes), default=-COLUMN_GAP) + COLUMN_GAP
            self._begin(x, 0, group, colour)
        else:
            self._x += self._width + GAP
        self._y, self._width = self._top, width

    def below(self, width: int, group: str, colour: str = COLOUR) -> None:
        """Begin a group below the last one, and its first column at that one's left edge."""
        x = min(node["pos"][0] for node in self._members)
        self._begin(x, max(map(_lower, self._members)) + ROW_GAP, group, colour)
        self._y, self._width = self._top, width

    def _begin(self, x: int, top: int, group: str, colour: str) -> None:
        self._x, self._top, self._members = x, top, []
        self.groups.append(
            {
                "id": len(self.groups) + 1,
                "title": group,
                "color": colour,
                "font_size": 24,
                "flags": {},
                "members": self._members,
                "room": 0,
            }
        )

    def add(
        self,
        type: str,
        title: str = "",
        extra_height: int = 0,
        /,
        models: Iterable[ModelFile] = (),
        **inputs: Any,
    ) -> dict[str, Out]:
        """A node below the last; returns its outputs by name.

        inputs        an Out for a link, else a widget's value; the others keep their defaults.
        extra_height  pixels for text or a picture, beyond sockets and one-line widgets.
        """
        newer = NEWER.get(type)
        info = newer.info if newer else self.object_info[type]
        unknown = inputs.keys() - {name for name, _ in node_inputs(info)}
        if unknown:
            raise ValueError(f"{type} has no input {sorted(unknown)}, look at its schema.")
        node = self._place(type, title, self._height(info) + extra_height)
        node["inputs"] = self._sockets(node["id"], info, inputs)
        node["outputs"] = [
            {"name": name, "type": kind, "links": []}
            for name, kind in zip(info["output_name"], info["output"], strict=True)
        ]
        core = not info["python_module"].startswith("custom_nodes")
        version = newer.version if newer else CORE_VERSION
        owner = {"cnr_id": "comfy-core", "ver": version} if core else {"cnr_id": PACK}
        files = [vars(file) for file in models]
        node["properties"] = {
            **owner,
            "Node name for S&R": type,
            **({"models": files} if files else {}),
        }
        if any(_is_hidden(spec, inputs.get(name)) for name, spec in node_inputs(info)):
            node["showAdvanced"] = True
        self._y += FOOTER if files else 0
        node["widgets_values"] = _widget_values(info, inputs)
        outputs = enumerate(zip(info["output_name"], info["output"], strict=True))
        return {name: Out(node["id"], slot, kind) for slot, (name, kind) in outputs}

    def add_collapsed(self, type: str, title: str, **inputs: Any) -> dict[str, Out]:
        """A node like `add`'s, of which only the title is drawn."""
        outputs = self.add(type, title, **inputs)
        node = self.nodes[-1]
        node["flags"] = {"collapsed": True}
        self._y = _lower(node) + TITLE + GAP
        return outputs

    def leave_room(self, height: int) -> None:
        """Let the group end lower by so many pixels: its last node grows."""
        self.groups[-1]["room"] = height

    def note(self, text: str, title: str) -> None:
        """A note below the last node, in Markdown, as tall as its text."""
        node = self._place("MarkdownNote", title, _text_height(text, self._width))
        node["widgets_values"] = [text]

    def to_json(self) -> dict[str, Any]:
        """The workflow as the frontend saves it."""
        return {
            "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"{PACK}/{self.name}")),
            "revision": 0,
            "last_node_id": len(self.nodes),
            "last_link_id": len(self.links),
            "nodes": self.nodes,
            "links": self.links,
            "groups": [
                {k: v for k, v in group.items() if k not in ("members", "room")}
                | {"bounding": _bounding(group["members"], group["room"])}
                for group in self.groups
            ],
            "config": {},
            "extra": {"ds": {"scale": 0.6, "offset": [60, 120]}},
            "version": 0.4,
        }

    def _place(self, type: str, title: str, height: int) -> dict[str, Any]:
        node: dict[str, Any] = {
            "id": len(self.nodes) + 1,
            "type": type,
            "pos": [self._x, self._y],
            "size": [self._width, height],
            "flags": {},
            "order": len(self.nodes),
            "mode": 0,
            "inputs": [],
            "outputs": [],
            "properties": {},
            "widgets_values": [],
        }
        if title:
            node["title"] = title
        self._y += height + TITLE + GAP
        for nodes in (self.nodes, self._members):
            nodes.append(node)
        return node

    def _height(self, info: dict[str, Any]) -> int:
        inputs = node_inputs(info)
        sockets = sum(not is_widget(spec) for _, spec in inputs)
        widgets = sum(is_widget(spec) + controlled(name, spec) for name, spec in inputs)
        return ROW * max(sockets, len(info["output"])) + WIDGET * widgets + EDGE

    def _sockets(self, node: int, info: dict[str, Any], inputs: dict[str, Any]) -> list[dict]:
        # As the frontend saves them: plain sockets first, then one for every widget.
        ordered = sorted(node_inputs(info), key=lambda item: is_widget(item[1]))
        sockets = []
        for slot, (name, spec) in enumerate(ordered):
            kind = "COMBO" if isinstance(spec[0], list) else spec[0]
            socket: dict[str, Any] = {"name": name, "type": kind, "link": None}
            if is_widget(spec):
                socket["widget"] = {"name": name}
            elif name in info["input"].get("optional", {}):
                socket["shape"] = 7
            source = inputs.get(name)
            if isinstance(source, Out):
                socket["link"] = self._link(source, node, slot)
            sockets.append(socket)
        return sockets

    def _link(self, source: Out, node: int, slot: int) -> int:
        link = len(self.links) + 1
        self.links.append([link, source.node, source.slot, node, slot, source.type])
        self.nodes[source.node - 1]["outputs"][source.slot]["links"].append(link)
        return link


def _widget_values(info: dict[str, Any], inputs: dict[str, Any]) -> list[Any]:
    """Every widget's value in order; a linked one keeps its default underneath."""
    values = []
    for name, spec in node_inputs(info):
        if not is_widget(spec):
            continue
        given = inputs.get(name)
        values.append(_default(spec) if given is None or isinstance(given, Out) else given)
        if controlled(name, spec):
            values.append(CONTROL)
    if any(spec[1].get("image_upload") for _, spec in node_inputs(info) if len(spec) > 1):
        values.append("image")  # the upload button
    return values


def _is_hidden(spec: list[Any], given: Any) -> bool:
    """Whether Nodes 2.0 hides a widget that is not at its default, until it is asked for it."""
    advanced = is_widget(spec) and len(spec) > 1 and spec[1].get("advanced")
    return bool(advanced) and given not in (None, _default(spec))


def _text_height(text: str, width: int) -> int:
    """Pixels that Markdown takes; the frontend's renderers differ, so there is some to spare."""
    visible = re.sub(r"\]\([^)]*\)|[*`\[]", "", text)
    apart, headings = re.subn(r"(?m)^(#.*)\n", r"\1\n\n", visible)
    blocks = re.split(r"\n\n+|\n(?=- )", apart)
    lines = sum(math.ceil(len(block) * LETTER / (width - 40)) for block in blocks)
    return LINE * (2 + lines + headings) + BLOCK * len(blocks)


def _default(spec: list[Any]) -> Any:
    options = spec[1] if len(spec) > 1 else {}
    if "default" in options:
        return options["default"]
    choices = spec[0] if isinstance(spec[0], list) else options.get("options")
    return choices[0] if choices else ""


def _right(node: dict[str, Any]) -> int:
    return node["pos"][0] + node["size"][0]


def _lower(node: dict[str, Any]) -> int:
    if node["flags"].get("collapsed"):
        return node["pos"][1]
    footer = FOOTER if "models" in node["properties"] else 0
    return node["pos"][1] + node["size"][1] + footer


def _bounding(nodes: list[dict[str, Any]], room: int) -> list[int]:
    left, top = (min(node["pos"][k] for node in nodes) for k in (0, 1))
    right, lower = max(map(_right, nodes)), max(map(_lower, nodes)) + room
    top -= TITLE + GROUP_TITLE
    return [left - GROUP_EDGE, top, right - left + 2 * GROUP_EDGE, lower + GROUP_EDGE - top]
