// Lines that the last prompt sent to a node which was not running itself, one per sampling call.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { addElement, fitHeight } from "./widget.js";

const HEIGHT = 46; // of a line, with room to wrap

export function addLines(node) {
  const panel = addElement(node, "ralu_lines", 0);
  let prompt;
  node.showRaluLine = (line) => {
    if (line.prompt_id !== prompt) panel.root.replaceChildren();
    prompt = line.prompt_id;
    if (line.text) panel.root.append(paragraph(line));
    panel.setHeight(HEIGHT * panel.root.childElementCount);
    fitHeight(node);
  };
}

function paragraph(line) {
  const text = document.createElement("p");
  const sampler = nodeAt(line.by)?.title;
  text.textContent = sampler ? `${sampler}, ${line.text}` : line.text;
  return text;
}

// "4:12" is node 12 inside of the subgraph node 4.
function nodeAt(path) {
  let graph = app.rootGraph ?? app.graph;
  let node;
  for (const id of String(path).split(":")) {
    node = graph?.getNodeById(Number(id));
    graph = node?.subgraph;
  }
  return node;
}

api.addEventListener("ralu_line", ({ detail }) => nodeAt(detail.node)?.showRaluLine?.(detail));
