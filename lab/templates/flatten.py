"""A saved workflow of any kind as one flat prompt: subgraphs, bypassed nodes and reroutes undone.

What the frontend's graphToPrompt does, for what ComfyUI's own templates use.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lab.comfy.workflow import NOTES, Prompt
from lab.templates.widgets import named_values

ALWAYS, MUTED, BYPASSED = 0, 2, 4
INWARD, OUTWARD = -10, -20  # nodes of a subgraph that stand for its own sockets
Source = tuple[str, int]  # a node's full id and its output's number


@dataclass
class Node:
    """A node of the flat graph: its id is the path of the subgraphs around it.

    inputs   sources by the socket's name.
    sockets  (name, type) of all its sockets, linked or not, in the file's order.
    outputs  their types.
    """

    id: str
    type: str
    mode: int
    values: list[Any] | dict[str, Any]
    sockets: list[tuple[str, str]]
    outputs: list[str]
    title: str
    inputs: dict[str, Source] = field(default_factory=dict)


class Flat:
    """All nodes of a workflow and of the subgraphs inside it."""

    def __init__(self, workflow: dict[str, Any]):
        self.subgraphs = {
            graph["id"]: graph for graph in workflow.get("definitions", {}).get("subgraphs", [])
        }
        self.nodes: dict[str, Node] = {}
        self.stands_for: dict[Source, Source] = {}  # of a subgraph's own sockets and outputs
        self._add(workflow, "", ALWAYS)

    def types(self) -> set[str]:
        """Classes of the nodes that run."""
        return {node.type for node in self.nodes.values() if node.mode == ALWAYS}

    def prompt(self, object_info: dict[str, Any]) -> Prompt:
        """In API format. KeyError for the class of a node that this ComfyUI does not have."""
        entries: Prompt = {}
        unlinked: dict[Source, list[tuple[str, str]]] = {}
        for node in self.nodes.values():
            if node.mode != ALWAYS or node.type in ("Reroute", "PrimitiveNode"):
                continue
            inputs = named_values(object_info[node.type], node.values)
            for name, source in node.inputs.items():
                found = self._origin(source)
                if found is None:
                    unlinked.setdefault(source, []).append((node.id, name))
                else:
                    inputs[name] = self._linked(found)
            entries[node.id] = {
                "class_type": node.type,
                "inputs": inputs,
                "_meta": {"title": node.title},
            }
        for targets in unlinked.values():
            _share_value(entries, targets)
        return entries

    def _linked(self, source: Source) -> Any:
        node = self.nodes[source[0]]
        if node.type == "PrimitiveNode":
            assert isinstance(node.values, list)
            return node.values[0]
        return [*source]

    def _origin(self, source: Source) -> Source | None:
        """The node that really makes what a link carries; None where nothing does."""
        while True:
            if source in self.stands_for:
                source = self.stands_for[source]
                continue
            node = self.nodes.get(source[0])
            if node is None or node.mode == MUTED:
                return None
            if node.type != "Reroute" and node.mode == ALWAYS:
                return source
            passed = _passed(node, source[1])
            if passed is None or passed not in node.inputs:
                return None
            source = node.inputs[passed]

    def _add(self, graph: dict[str, Any], prefix: str, mode: int) -> None:
        links = {link[0]: link for link in map(_link, graph["links"])}
        for saved in graph["nodes"]:
            own = max(mode, saved.get("mode", ALWAYS))
            path = f"{prefix}{saved['id']}"
            sources = {}
            for socket in saved.get("inputs") or []:
                link = links.get(socket.get("link"))
                if link is not None:
                    sources[socket["name"]] = (f"{prefix}{link[1]}", link[2])
            if saved["type"] in self.subgraphs:
                self._add_subgraph(saved, path, sources, own)
            elif saved["type"] not in NOTES:
                self.nodes[path] = _node(saved, path, own, sources)

    def _add_subgraph(
        self, saved: dict[str, Any], path: str, sources: dict[str, Source], mode: int
    ) -> None:
        graph = self.subgraphs[saved["type"]]
        inner = f"{path}:"
        for number, socket in enumerate(graph["inputs"]):
            if socket["name"] in sources:
                self.stands_for[f"{inner}{INWARD}", number] = sources[socket["name"]]
        for link in map(_link, graph["links"]):
            if link[3] == OUTWARD:
                self.stands_for[path, link[4]] = (f"{inner}{link[1]}", link[2])
        self._add(graph, inner, mode)
        for name, value in _promoted(saved):
            self._set(graph, inner, name, value)

    def _set(self, graph: dict[str, Any], inner: str, name: str, value: Any) -> None:
        """Let a value of the outer node be that of the widgets that its socket is linked to."""
        number = next((i for i, s in enumerate(graph["inputs"]) if s["name"] == name), None)
        source = (f"{inner}{INWARD}", number)
        if number is None or source in self.stands_for:
            return
        primitive = f"{inner}value:{name}"
        self.nodes[primitive] = Node(primitive, "PrimitiveNode", ALWAYS, [value], [], ["*"], name)
        self.stands_for[source[0], number] = (primitive, 0)


def _share_value(entries: Prompt, targets: list[tuple[str, str]]) -> None:
    """Let sockets that nothing feeds, and that hang together, have the value of their widget."""
    inputs = [(entries[node]["inputs"], name) for node, name in targets]
    values = [own[name] for own, name in inputs if name in own]
    for own, name in inputs:
        if values:
            own.setdefault(name, values[0])


def _promoted(saved: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """(socket, value) of the widgets that a subgraph's node shows and keeps values of."""
    shown = saved.get("properties", {}).get("proxyWidgets", [])
    values = saved.get("widgets_values") or []
    if isinstance(values, list) and len(values) == len(shown):
        for (node, name, *_), value in zip(shown, values, strict=True):
            if str(node) == "-1":
                yield name, value


def _passed(node: Node, output: int) -> str | None:
    """The socket whose value a bypassed node hands on: the first of the output's type."""
    if node.type == "Reroute":
        return next(iter(node.inputs), None)
    kind = node.outputs[output] if output < len(node.outputs) else None
    return next((name for name, socket in node.sockets if socket == kind), None)


def _link(link: Any) -> tuple[int, int, int, int, int]:
    """(id, origin, its output, target, its socket), whichever way the file writes it."""
    if isinstance(link, dict):
        names = ("id", "origin_id", "origin_slot", "target_id", "target_slot")
        return tuple(link[name] for name in names)  # type: ignore[return-value]
    return tuple(link[:5])  # type: ignore[return-value]


def _node(saved: dict[str, Any], path: str, mode: int, sources: dict[str, Source]) -> Node:
    return Node(
        id=path,
        type=saved["type"],
        mode=mode,
        values=saved.get("widgets_values") or [],
        sockets=[(socket["name"], socket["type"]) for socket in saved.get("inputs") or []],
        outputs=[output["type"] for output in saved.get("outputs") or []],
        title=saved.get("title") or saved["type"],
        inputs=sources,
    )
