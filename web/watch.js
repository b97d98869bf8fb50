// One timer for all nodes that show what nobody tells them of: widgets that a program has set, the
// colours of the theme.
import { app } from "../../scripts/app.js";
import { also } from "./widget.js";

const CHECK_MS = 150;
const LIGHT = 0.4; // of a node's ground; below, text on it is light
const looks = new Map();
let timer;

// Call `look` now and then, for as long as the node is in the graph.
export function watch(node, look) {
  also(node, "onAdded", () => {
    looks.set(node, (looks.get(node) ?? new Set()).add(look));
    timer ??= setInterval(lookAtAll, CHECK_MS);
  });
}

// Whether a node is one of the open workflow. The frontend tells no removal of a copy that was never
// added, nor of what lay in a subgraph when another workflow was opened.
export function isThere(node) {
  const { graph, id } = node;
  const root = app.rootGraph;
  const isOpen = graph && (graph === root || root.subgraphs.get(graph.id) === graph);
  return !!isOpen && graph.getNodeById(id) === node;
}

function lookAtAll() {
  const light = lightness(LiteGraph.NODE_DEFAULT_BGCOLOR) > LIGHT;
  document.documentElement.classList.toggle("ralu-on-light", light);
  for (const [node, all] of looks) {
    if (isThere(node)) all.forEach((look) => look());
    else looks.delete(node);
  }
  if (looks.size) return;
  clearInterval(timer);
  timer = undefined;
}

function lightness(colour) {
  const [, digits] = /^#([0-9a-f]+)$/i.exec(colour) ?? [];
  if (!digits) return 0;
  const wide = digits.length < 6 ? [...digits].map((digit) => digit + digit).join("") : digits;
  const parts = [0, 2, 4].map((at) => parseInt(wide.slice(at, at + 2), 16));
  return parts.reduce((sum, part) => sum + part, 0) / (3 * 255);
}
