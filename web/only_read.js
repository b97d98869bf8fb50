// RALU Temporal Acceleration shows the widgets that its method reads. The others keep their values,
// and are saved and sent as before.
import { watch } from "./watch.js";
import { also, fitHeight, fittedHeight } from "./widget.js";

export function showOnlyRead(node) {
  const methods = methodsOf(node.constructor.nodeData ?? {});
  let shown;
  const look = () => {
    const method = node.widgets?.find(({ name }) => name === "method")?.value;
    const wired = (node.inputs ?? []).filter((input, slot) => node.isInputConnected(slot));
    const open = new Set(wired.map(({ name }) => name)); // a wire would hang in the air
    const key = [method, ...open].join();
    if (key === shown) return;
    shown = key;
    const fitted = fittedHeight(node);
    for (const widget of node.widgets ?? []) {
      const readers = methods[widget.name];
      if (readers) hide(widget, !readers.includes(method) && !open.has(widget.name));
    }
    if (node.widgets) node.widgets.push(node.widgets.pop()); // which Nodes 2.0 notices
    fitHeight(node, fitted);
  };
  look();
  also(node, "onConfigure", () => node.graph && look()); // not of a copy under the node's own id
  watch(node, look);
}

// The methods that read a widget, as the server's schema tells.
function methodsOf({ input = {} }) {
  const specs = Object.entries({ ...input.required, ...input.optional });
  const told = specs.map(([name, spec]) => [name, spec[1]?.methods]);
  return Object.fromEntries(told.filter(([, methods]) => methods));
}

function hide(widget, hidden) {
  widget.hidden = hidden;
  widget.options.hidden = hidden; // Nodes 2.0 reads this one
}
