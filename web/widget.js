import { app } from "../../scripts/app.js";
import { passToCanvas } from "./pointer.js";
import { watch } from "./watch.js";

const MARGIN = 10; // pixels that the classic renderer leaves around an element
const GAP = 4; // and below it

// An element on a node, in both renderers, as tall as what it shows; empty it is not there. Neither
// saved nor sent to the server. `height` is a guess, until it has been laid out.
export function addElement(node, name, height = 0) {
  const root = document.createElement("div");
  root.className = `ralu ${name}`;
  const body = document.createElement("div");
  root.append(body);
  const widget = node.addDOMWidget(name, name, root, {
    serialize: false,
    hideOnZoom: false,
    getMinHeight: () => height && height + 2 * MARGIN,
    getMaxHeight: () => height && height + 2 * MARGIN,
    getValue: () => "",
    setValue() {},
  });
  widget.serialize = false;
  passToCanvas(root);
  let own = 0; // height of a node that was made taller than its parts need, and not smaller again
  const noteOwn = (fitted) => {
    const now = node.size[1];
    if (fitted === Infinity) own = now;
    else if (now < own - 1) own = 0;
  };
  const setHeight = (pixels) => {
    const fitted = fittedHeight(node);
    noteOwn(fitted);
    height = pixels;
    widget.hidden = !pixels; // for the classic renderer; Nodes 2.0 looks at the element
    fitHeight(node, fitted);
    if (node.size[1] < own) node.setSize([node.size[0], own]);
  };
  const measured = () => {
    const pixels = body.childNodes.length ? body.offsetHeight : 0;
    if (pixels && pixels !== height) setHeight(pixels);
  };
  new ResizeObserver(measured).observe(body);
  const show = (...content) => {
    body.replaceChildren(...content);
    root.style.display = content.length ? "" : "none";
    if (!content.length) setHeight(0);
    else if (widget.hidden) setHeight(body.offsetHeight || height || 1);
  };
  root.style.display = height ? "" : "none";
  widget.hidden = !height;
  // Where a step is undone, Nodes 2.0 keeps the old node's element.
  watch(node, () => {
    if (!root.isConnected) elementOf(node)?.querySelector(`.ralu.${name}`)?.replaceWith(root);
  });
  // Others who open the file see nothing here: a node that fits is saved as tall as without, or as before
  // what it shows outgrew it. The frontend serializes a node whenever it may have been changed.
  also(node, "onSerialize", (saved) => {
    const fitted = fittedHeight(node);
    noteOwn(fitted);
    if (!height || fitted === Infinity) return;
    saved.size = [node.size[0], Math.max(own, fitted - height - 2 * MARGIN - GAP)];
  });
  const dim = (isOf) => root.classList.toggle("of_other_settings", isOf);
  return { widget, show, dim, watch: (look) => watch(node, look) };
}

// Markup as markup.js makes it, which escapes what is not of this pack.
export function fromMarkup(markup) {
  const template = document.createElement("template");
  template.innerHTML = markup;
  return template.content;
}

export function paragraph(text) {
  const element = document.createElement("p");
  element.textContent = text;
  return element;
}

// Call `added` after whatever the node does at this event already.
export function also(node, event, added) {
  const before = node[event];
  node[event] = function (...args) {
    before?.apply(this, args);
    added(...args);
  };
}

// The height of a node that is as tall as its parts need; Infinity for one that was made taller. In Nodes
// 2.0 they need another height, which is more than the element's least where they made it so tall.
export function fittedHeight(node) {
  const needed = node.computeSize()[1];
  const element = elementOf(node);
  const grew = element?.offsetHeight > parseFloat(element?.style.getPropertyValue("--node-height")) + 1;
  return grew || node.size[1] <= needed + 1 ? needed : Infinity;
}

// As tall as its parts need, and as before where it was made taller.
export function fitHeight(node, before = Infinity) {
  const [width, height] = node.size;
  const needed = node.computeSize()[1];
  const fits = before !== Infinity;
  const element = elementOf(node);
  if (fits && element) {
    const asItIs = () => element.style.setProperty("--node-height", "0px");
    asItIs(); // newer frontends keep it as tall as it was set
    node.setSize([width, element.offsetHeight - LiteGraph.NODE_TITLE_HEIGHT]);
    asItIs();
  } else if (fits) node.setSize([width, needed]);
  else if (!LiteGraph.vueNodesMode) node.setSize([width, Math.max(height, needed)]);
  app.canvas.setDirty(true, true);
}

// Of a node in Nodes 2.0, if its graph is open.
function elementOf({ id, graph }) {
  if (!LiteGraph.vueNodesMode || graph !== app.canvas.graph) return null;
  return document.querySelector(`[data-node-id="${id}"]`);
}
