"""`python -m lab.showcase.texts`: the texts that name models and presets, from the pack's tables.

It rewrites those entries of the locales, and what stands between marks such as `<!-- families -->`
and `<!-- /families -->`: the README's table of models, and names within the sentences of the help
pages. `languages.json` holds what each language says: parts of sentences, as `Words` of the pack
names them, and entries of its locale file. English is the default of `Words`, and its locale file
repeats the schemas.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from lab.comfy import ralu_pack
from lab.comfy.locate import REPOSITORY
from ralu_core.latents.frame import MAX_SIDE

LOCALES, HELP = REPOSITORY / "locales", REPOSITORY / "web" / "docs"
README = REPOSITORY / "README.md"
LANGUAGES = Path(__file__).with_name("languages.json")
PARTS = (
    "models",
    "any_model",
    "forecast",
    "lettered",
    "sized",
    "recommended",
    "untold",
    "presets",
    "guidance",
)
MARKED = re.compile(r"<!-- (\w+) -->.*?<!-- /\1 -->", re.DOTALL)


def written() -> dict[Path, str]:
    """What each file should say."""
    english: dict[str, dict[str, str]] = {"parts": {}, "entries": {}}
    languages = {"en": english, **json.loads(LANGUAGES.read_text(encoding="utf-8"))}
    texts = {README: between_marks(README, {"families": f"\n{families_table()}\n"})}
    for code, language in languages.items():
        words = ralu_pack.words.Words(**language["parts"])
        parts = {name: getattr(words, name)() for name in PARTS}
        for page in sorted(HELP.glob(f"*/{code}.md")):
            texts[page] = between_marks(page, parts)
        path = LOCALES / code / "nodeDefs.json"
        locale = schema_texts() if code == "en" else json.loads(path.read_text(encoding="utf-8"))
        for place, template in language["entries"].items():
            set_text(locale, place.split("."), template.format(**parts))
        texts[path] = json.dumps(locale, indent=2, ensure_ascii=False) + "\n"
    return texts


def set_text(texts: dict[str, Any], way: list[str], text: str) -> None:
    """Put a text into nested dictionaries. KeyError where there was none."""
    *way, last = way
    for key in way:
        texts = texts[key]
    if last not in texts:
        raise KeyError(last)
    texts[last] = text


def between_marks(path: Path, parts: dict[str, str]) -> str:
    """The file with every marked part replaced. KeyError for marks of other names."""

    def marked(found: re.Match[str]) -> str:
        name = found[1]
        return f"<!-- {name} -->{parts[name]}<!-- /{name} -->"

    return MARKED.sub(marked, path.read_text(encoding="utf-8"))


def families_table() -> str:
    """Markdown: what the pack knows of each family."""
    import comfy.ops

    from lab.models.networks import toy_network

    lines = [
        "| models | presets | one latent pixel | largest side | RALU Temporal Acceleration |",
        "|---|---|---|---|---|",
    ]
    for family in ralu_pack.table.FAMILIES:
        space, side = family.space, None
        if type(family).longest_side is not ralu_pack.table.Family.longest_side:
            side = family.longest_side(
                toy_network(family, operations=comfy.ops.disable_weight_init)
            )
        cells = (
            family.label,
            ", ".join(ralu_pack.words.presets_of(family)),
            f"{space.channels} channels, {space.pixels} pixels",
            f"{side} pixels, or what the weights have" if side else f"{MAX_SIDE} pixels",
            "no" if family.blocks is None else "yes",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def schema_texts() -> dict[str, Any]:
    """What the schemas of all nodes say, in the form of a locale file."""
    pack = ralu_pack.import_pack()
    texts = {}
    for node in asyncio.run(asyncio.run(pack.comfy_entrypoint()).get_node_list()):
        schema = node.define_schema()
        texts[schema.node_id] = {
            "display_name": schema.display_name,
            "description": schema.description,
            "inputs": {i.id: {"name": i.id, "tooltip": i.tooltip} for i in schema.inputs},
            "outputs": {
                str(k): {"name": out.display_name, "tooltip": out.tooltip}
                for k, out in enumerate(schema.outputs)
            },
        }
    return texts


def main() -> None:
    ralu_pack.start(cpu=True)
    for path, text in written().items():
        if path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")
            print(path.relative_to(REPOSITORY))


if __name__ == "__main__":
    main()
