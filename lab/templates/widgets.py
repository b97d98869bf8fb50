"""Which input each saved widget value of a node belongs to, for all inputs that ComfyUI has."""

from __future__ import annotations

from typing import Any

from lab.comfy.workflow import controlled, node_inputs

DYNAMIC = "COMFY_DYNAMICCOMBO_V3"  # a choice that brings inputs of its own
SOCKETS_ONLY = ("COMFY_AUTOGROW_V3", "COMFY_MATCHTYPE_V3")
# A type of two, such as "INT,FLOAT", is a socket.
WIDGETS = ("INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", "COLOR", "BOUNDING_BOX", "CURVE")


def named_values(info: dict[str, Any], values: list[Any] | dict[str, Any]) -> dict[str, Any]:
    """Values by their input's name; those that the saved file lacks are the defaults."""
    if isinstance(values, dict):
        return dict(values)
    left = list(values)
    found: dict[str, Any] = {}
    for name, spec in node_inputs(info):
        found |= _take(name, spec, left)
    return found


def _take(name: str, spec: list[Any], left: list[Any]) -> dict[str, Any]:
    """The input's value, taken off the front of what is left; nothing for a socket."""
    if spec[0] == DYNAMIC:
        options = {
            option["key"]: node_inputs({"input": option["inputs"]}) for option in spec[1]["options"]
        }
        key = left.pop(0) if left else next(iter(options))
        found = {name: key}
        for inner, inner_spec in options.get(key, []):
            found |= _take(f"{name}.{inner}", inner_spec, left)
        return found
    if not _is_widget(spec):
        return {}
    found = {name: left.pop(0)} if left else _default(name, spec)
    if left and controlled(name, spec):
        left.pop(0)
    return found


def _is_widget(spec: list[Any]) -> bool:
    settings = spec[1] if len(spec) > 1 else {}
    if settings.get("forceInput") or spec[0] in SOCKETS_ONLY:
        return False
    return isinstance(spec[0], list) or spec[0] in WIDGETS or bool(settings.get("socketless"))


def _default(name: str, spec: list[Any]) -> dict[str, Any]:
    settings = spec[1] if len(spec) > 1 else {}
    choices = spec[0] if isinstance(spec[0], list) else settings.get("options")
    if "default" in settings:
        return {name: settings["default"]}
    return {name: choices[0]} if choices else {}
