"""`python -m lab.showcase.texts`: the texts that name models and presets, from the pack's tables.

It rewrites those entries of the locales (the English file whole, since it repeats the schemas), and
what stands between marks such as `<!-- families -->` and `<!-- /families -->`: the README's table of
models, and names within the sentences of the help pages.
"""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

from lab.comfy import ralu_pack
from lab.comfy.locate import REPOSITORY
from lab.showcase.languages import ENTRIES, PARTS, parts_said

LOCALES, HELP = REPOSITORY / "locales", REPOSITORY / "web" / "docs"
README = REPOSITORY / "README.md"
MARKED = re.compile(r"<!-- (\w+) -->.*?<!-- /\1 -->", re.DOTALL)


def written() -> dict[Path, str]:
    """What each file should say."""
    languages = {code: parts_said(ralu_pack.words.Words(**parts)) for code, parts in PARTS.items()}
    texts = {README: between_marks(README, {"families": f"\n{families_table()}\n"})}
    for code, parts in languages.items():
        for page in sorted(HELP.glob(f"*/{code}.md")):
            texts[page] = between_marks(page, parts)
        path = LOCALES / code / "nodeDefs.json"
        texts[path] = json.dumps(locale(path, code, parts), indent=2, ensure_ascii=False) + "\n"
    return texts


def between_marks(path: Path, parts: dict[str, str]) -> str:
    """The file with every marked part replaced. KeyError for marks of other names."""

    def marked(found: re.Match[str]) -> str:
        name = found[1]
        return f"<!-- {name} -->{parts[name]}<!-- /{name} -->"

    return MARKED.sub(marked, path.read_text(encoding="utf-8"))


def families_table() -> str:
    """Markdown: what the pack knows of each family."""
    import comfy.ops

    lines = [
        "| models | presets | one latent pixel | largest side | step caches |",
        "|---|---|---|---|---|",
    ]
    for family in ralu_pack.table.FAMILIES:
        space = family.space
        side = family.longest_side(family.tiny(operations=comfy.ops.disable_weight_init))
        cells = (
            family.label,
            ", ".join(ralu_pack.words.presets_of(family)),
            f"{space.channels} channels, {space.pixels} pixels",
            f"{side} pixels, or what the weights have" if side else f"{ralu_pack.frame.MAX_SIDE}",
            "no" if family.blocks is None else "yes",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def locale(path: Path, code: str, parts: dict[str, str]) -> dict[str, Any]:
    """The locale file's content, the entries that name models written anew."""
    if code == "en":
        return schema_texts()
    texts = json.loads(path.read_text(encoding="utf-8"))
    for (*way, last), template in ENTRIES[code].items():
        entry = texts
        for key in way:
            entry = entry[key]
        entry[last] = template.format(**parts)
    return texts


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
