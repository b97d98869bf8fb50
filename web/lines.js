// Lines that the last prompt sent to a node which was not running itself, one per sampling call.
import { app } from "../../scripts/app.js";
import { api } from "../../scripts/api.js";
import { addElement, paragraph } from "./widget.js";
import { words } from "./words.js";

const MOST = 10; // lines, the last; a tiled sampler samples many times

export function addLines(node) {
  const panel = addElement(node, "ralu_lines");
  let prompt;
  let lines = [];
  node.showRaluLine = (line) => {
    if (line.prompt_id !== prompt) lines = [];
    prompt = line.prompt_id;
    if (line.text) lines.push(paragraph(told(line)));
    const more = lines.length - MOST;
    panel.show(...(more > 0 ? [paragraph(words().earlier(more))] : []), ...lines.slice(-MOST));
  };
}

function told({ by, text }) {
  const sampler = nodeAt(by)?.title;
  return sampler ? `${sampler}, ${text}` : text;
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
