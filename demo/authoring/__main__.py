"""Ask a ComfyUI for its nodes and write every workflow file."""

from __future__ import annotations

import json

from demo.authoring.sheet import Sheet
from demo.authoring.workflows import DRAWINGS
from demo.host.client import Client
from demo.host.pins import HOSTS
from demo.host.server import comfy_server
from demo.workflow import WORKFLOWS


def main() -> None:
    with comfy_server(HOSTS[-1].version) as server:
        object_info = Client(server.url).get("/object_info")
    for name, draw in DRAWINGS.items():
        sheet = Sheet(name, object_info)
        draw(sheet)
        text = json.dumps(sheet.to_json(), indent=2, ensure_ascii=False)
        (WORKFLOWS / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
