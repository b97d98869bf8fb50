// Wires of a node, noted and drawn again, in terms that every frontend since 1.32 has. In a subgraph a
// wire may come from its edge or go there; all keep their reroutes.
import { app } from "../../scripts/app.js";

// Of the open workflow, those in subgraphs, too.
export const allNodes = () =>
  [app.rootGraph, ...app.rootGraph.subgraphs.values()].flatMap(({ nodes }) => nodes);

// Every wire of a node: by the input's name, and by the output's type for those that leave.
export function wiresOf(node) {
  // A subgraph's getInputLink tells of its inner wires, and newer frontends warn of input.link.
  const links = [...node.graph.links.values()];
  const into = links
    .filter(({ target_id }) => String(target_id) === String(node.id))
    .filter((link) => isOf(node, link))
    .map((link) => [node.inputs[link.target_slot].name, origin(link)]);
  const from = links
    .filter(({ origin_id }) => String(origin_id) === String(node.id))
    .map((link) => ({ type: node.outputs[link.origin_slot].type, ...target(link) }));
  return { into: new Map(into), from };
}

// Files may hold left-over links to an input that has another one.
function isOf(node, { id, target_slot: slot }) {
  if (!node.inputs?.[slot]) return false;
  const own = node.subgraph ? null : node.getInputLink(slot);
  return !own || own.id === id;
}

// The wire into an input, or where cg-use-everywhere hands it an output from: it notes that in the graph.
export function wireInto(node, name) {
  const wire = wiresOf(node).into.get(name);
  if (wire) return wire;
  const slot = (node.inputs ?? []).findIndex((input) => input.name === name);
  const handed = (node.graph.extra?.ue_links ?? []).find(
    ({ downstream, downstream_slot }) => String(downstream) === String(node.id) && downstream_slot === slot,
  );
  return handed && { origin_id: handed.upstream, origin_slot: handed.upstream_slot };
}

const origin = ({ origin_id, origin_slot, parentId }) => ({ origin_id, origin_slot, parentId });
const target = ({ target_id, target_slot, parentId }) => ({ target_id, target_slot, parentId });

export const isEdge = (edge, id) => edge != null && String(edge.id) === String(id);
const reroute = (graph, id) => (id != null && graph.reroutes?.has(id) ? id : undefined);

// Draw a wire from there to an input; false where the frontend refuses it.
export function wireTo(wire, node, name) {
  const { graph } = node;
  const slot = node.inputs.findIndex((input) => input.name === name);
  if (slot < 0) return false;
  const after = reroute(graph, wire.parentId);
  const edge = graph.inputNode;
  if (isEdge(edge, wire.origin_id)) {
    return !!edge.slots[wire.origin_slot].connect(node.inputs[slot], node, after);
  }
  const from = graph.getNodeById(wire.origin_id);
  return !!from?.connect(wire.origin_slot, node, slot, after);
}

// Draw a wire from the first output of its type to where it went.
export function wireFrom(node, wire) {
  const { graph } = node;
  const slot = node.outputs.findIndex(({ type }) => type === wire.type);
  if (slot < 0) return false;
  const after = reroute(graph, wire.parentId);
  const edge = graph.outputNode;
  if (isEdge(edge, wire.target_id)) {
    return !!edge.slots[wire.target_slot].connect(node.outputs[slot], node, after);
  }
  const to = graph.getNodeById(wire.target_id);
  return !!(to && node.connect(slot, to, wire.target_slot, after));
}

// The node that an input's wire comes from, if it is one of this graph.
export function nodeBefore(node, name) {
  const slot = (node.inputs ?? []).findIndex((input) => input.name === name);
  return slot < 0 ? null : node.getInputNode(slot);
}

// The name of a node's first input of a type.
export const inputOf = (node, type) => (node.inputs ?? []).find((one) => one.type === type)?.name;

const FRAMES = 4; // after which Nodes 2.0 has given a new node its size

// All that an artist undoes at once, the order and the size of new nodes included.
export async function asOneChange(canvas, change) {
  canvas.emitBeforeChange();
  try {
    const result = change();
    canvas.graph.updateExecutionOrder();
    canvas.setDirty(true, true);
    for (let frame = 0; frame < FRAMES; frame++) await new Promise(requestAnimationFrame);
    return result;
  } finally {
    canvas.emitAfterChange();
  }
}
