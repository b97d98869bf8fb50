"""Small graphs in the frontend's own format, on the lab's small models."""

from __future__ import annotations

from typing import Any

Graph = dict[str, Any]


def graph(*nodes: Graph, links: list[list[Any]] | None = None, wired_widgets=()) -> Graph:
    """links are [from node, output, to node, input name, type]; wired_widgets names inputs."""
    by_id = {node["id"]: node for node in nodes}
    saved = []
    for number, (source, output, target, name, kind) in enumerate(links or [], 1):
        into, out = by_id[target], by_id[source]["outputs"][output]
        socket = {"name": name, "type": kind, "link": number}
        if name in wired_widgets:
            socket["widget"] = {"name": name}
        into["inputs"].append(socket)
        out["links"].append(number)
        saved.append([number, source, output, target, len(into["inputs"]) - 1, kind])
    return {
        "last_node_id": len(nodes),
        "last_link_id": len(saved),
        "nodes": list(nodes),
        "links": saved,
        "groups": [],
        "config": {},
        "extra": {},
        "version": 0.4,
    }


def node(id: int, type: str, x: int, y: int = 0, values: list | None = None, **more: Any) -> Graph:
    return {
        "id": id,
        "type": type,
        "pos": [x, y],
        "size": [360, 100],
        "flags": {},
        "order": id,
        "mode": 0,
        "inputs": [],
        "outputs": more.pop("outputs", []),
        "properties": {},
        "widgets_values": values or [],
        **more,
    }


def schedule_values(preset: str = "FLUX 5x", **changed: Any) -> list[Any]:
    values = {
        "preset": preset,
        "shifts": "match the model",
        "width": 1024,
        "height": 1024,
        **{f"steps_{k}": 0 for k in (1, 2, 3)},
        **{f"end_sigma_{k}": 0.0 for k in (1, 2)},
        "ratio": 0.0,
        "plain_steps": 0,
    }
    return list({**values, **changed}.values())


def schedule_only(**changed: Any) -> Graph:
    return graph(node(1, "RALU_Schedule", 100, 100, schedule_values(**changed)))


def outputs(*kinds: str) -> list[dict[str, Any]]:
    return [{"name": kind, "type": kind, "links": []} for kind in kinds]


def acceleration(id: int) -> Graph:
    values = ["TaylorSeer", 3, 1, 2, 0.25, 0.0, 1.0, 0.9, 4.0]
    kind = "RALU_TemporalAcceleration"
    return node(id, kind, 420, 620, values, outputs=outputs("MODEL"))


def ksampler(seed: int, accelerated: bool = True) -> Graph:
    """Stand-in Flux, RALU Temporal Acceleration, core's KSampler in 8 steps, decode, preview."""
    graph = sampling(seed)
    steps = [seed, "fixed", 8, 1.0, "euler", "simple", 1.0]
    plain = node(5, "KSampler", 840, 0, steps, outputs=outputs("LATENT"))
    models, text, latent, decode, preview = (graph["nodes"][k - 1] for k in (1, 2, 3, 6, 7))
    model = [[1, 0, 4, "model", "MODEL"], [4, 0, 5, "model", "MODEL"]]
    return rewired(
        [models, text, latent, *([acceleration(4)] if accelerated else []), plain, decode, preview],
        [
            [1, 1, 2, "clip", "CLIP"],
            *(model if accelerated else [[1, 0, 5, "model", "MODEL"]]),
            [2, 0, 5, "positive", "CONDITIONING"],
            [2, 0, 5, "negative", "CONDITIONING"],
            [3, 0, 5, "latent_image", "LATENT"],
            [5, 0, 6, "samples", "LATENT"],
            [1, 2, 6, "vae", "VAE"],
            [6, 0, 7, "images", "IMAGE"],
        ],
    )


def in_front(seed: int) -> Graph:
    """The same KSampler in 20 steps, with RALU as published on its MODEL wire; 512 x 512."""
    graph = ksampler(seed)
    nodes = {node["id"]: node for node in graph["nodes"]}
    nodes[3]["widgets_values"] = [512, 512, 1]
    nodes[4].update(type="RALU_Apply", widgets_values=["paper", "auto", 0.0, "token"])
    nodes[5]["widgets_values"][2] = 20
    return graph


def guided(sampler: str) -> Graph:
    """BasicGuider before a sampler that takes a GUIDER."""
    models = node(1, "RALUDemo_Models", 0, values=["flux1-dev.safetensors", False])
    models["outputs"] = outputs("MODEL", "CLIP", "VAE")
    guider = node(2, "BasicGuider", 420, outputs=outputs("GUIDER"))
    last = node(3, sampler, 840, outputs=outputs("LATENT", "LATENT"))
    wires = [[1, 0, 2, "model", "MODEL"], [2, 0, 3, "guider", "GUIDER"]]
    return graph(models, guider, last, links=wires)


def enlarger() -> Graph:
    """A map fitted on four pictures, and not saved."""
    models = node(1, "RALUDemo_Models", 0, values=["flux1-dev.safetensors", False])
    models["outputs"] = outputs("MODEL", "CLIP", "VAE")
    colours = (0xC04020, 0x20C040, 0x4020C0, 0xC0C020)
    pictures = [
        node(
            10 + k, "EmptyImage", 0, 300 + 200 * k, [384, 384, 1, colour], outputs=outputs("IMAGE")
        )
        for k, colour in enumerate(colours)
    ]
    joined = [node(20 + k, "ImageBatch", 300, 300 + 200 * k) for k in range(3)]
    for one in joined:
        one["outputs"] = outputs("IMAGE")
    fit = node(3, "RALU_FitEnlarger", 600, 0, [False], outputs=outputs("ENLARGER", "STRING"))
    pairs = [(20, 10, 11), (21, 12, 13), (22, 20, 21)]
    wires = [[1, 2, 3, "vae", "VAE"], [22, 0, 3, "image", "IMAGE"]]
    for target, *sources in pairs:
        for k, source in enumerate(sources, 1):
            wires.append([source, 0, target, f"image{k}", "IMAGE"])
    return graph(models, *pictures, *joined, fit, links=wires)


def rewired(nodes: list[Graph], links: list[list[Any]]) -> Graph:
    """A graph of the same nodes with other wires."""
    for one in nodes:
        one["inputs"] = []
        one["outputs"] = [{**output, "links": []} for output in one["outputs"]]
    return graph(*nodes, links=links)


def sampling(seed: int = 7, accelerated: bool = False) -> Graph:
    """Stand-in Flux, schedule, RALU Sampler, decode and preview at 256 x 256."""
    models = node(
        1,
        "RALUDemo_Models",
        0,
        0,
        ["flux1-dev.safetensors", False],
        outputs=outputs("MODEL", "CLIP", "VAE"),
    )
    text = node(2, "CLIPTextEncode", 0, 180, ["a fox"], outputs=outputs("CONDITIONING"))
    latent = node(3, "EmptySD3LatentImage", 0, 420, [256, 256, 1], outputs=outputs("LATENT"))
    schedule = node(
        4,
        "RALU_Schedule",
        420,
        0,
        schedule_values(),
        outputs=outputs("RALU_SCHEDULE", "IMAGE", "STRING"),
    )
    sampler = node(
        5,
        "RALU_Sampler",
        840,
        0,
        [seed, "fixed", 1.0, "euler", 1.0, "canny", 0.0, "token", "paper", 0],
        outputs=outputs("LATENT", "MASK"),
    )
    decode = node(6, "VAEDecode", 1260, 0, outputs=outputs("IMAGE"))
    preview = node(7, "PreviewImage", 1260, 120)
    return graph(
        models,
        text,
        latent,
        schedule,
        sampler,
        decode,
        preview,
        *([acceleration(8)] if accelerated else []),
        links=[
            [1, 1, 2, "clip", "CLIP"],
            [1, 0, 4, "model", "MODEL"],
            *([[1, 0, 8, "model", "MODEL"]] if accelerated else []),
            [8 if accelerated else 1, 0, 5, "model", "MODEL"],
            [2, 0, 5, "positive", "CONDITIONING"],
            [2, 0, 5, "negative", "CONDITIONING"],
            [3, 0, 5, "latent_image", "LATENT"],
            [1, 2, 5, "vae", "VAE"],
            [4, 0, 5, "schedule", "RALU_SCHEDULE"],
            [5, 0, 6, "samples", "LATENT"],
            [1, 2, 6, "vae", "VAE"],
            [6, 0, 7, "images", "IMAGE"],
        ],
    )
