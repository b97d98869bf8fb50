// Where the MODEL at an input comes from: over wires, through nodes that only stand for others (Reroute,
// Get), the edges of subgraphs, pipes that carry it among other things, and broadcasts.
import { allNodes, isEdge, wireInto, wiresOf } from "./wires.js";

export const IN_FRONT = "RALU_Apply";
const SAMPLERS = ["RALU_Sampler", "RALU_SamplerAdvanced"];
const PIPE = /PIPE|CONTEXT$/i; // types of wires by which packs send many things at once
const FAR = 100; // nodes at most that a MODEL is followed through
const OFF = [2, 4]; // modes of a node that is muted or bypassed

export const isOff = ({ mode }) => OFF.includes(mode);

// The node RALU that a MODEL has passed before an input: one that acts, else the nearest that is muted or
// bypassed; null if there is none.
export function ralusBefore(node, input, far = FAR) {
  const wire = wireInto(node, input);
  return wire && far ? over(node.graph, wire, far - 1) : null;
}

function over(graph, { origin_id, origin_slot }, far) {
  if (!isEdge(graph.inputNode, origin_id)) return at(graph.getNodeById(origin_id), origin_slot, far);
  const { name } = graph.inputNode.slots[origin_slot];
  const found = nodesAround(graph).map((node) => ralusBefore(node, name, far));
  return found.every(Boolean) ? (found[0] ?? null) : null;
}

// The same before an output.
function at(node, slot, far) {
  if (!node) return null;
  const isRalu = node.comfyClass === IN_FRONT;
  if (isRalu && !isOff(node)) return node;
  if (node.subgraph && !isOff(node)) return atInner(node.subgraph, slot, far);
  if (node.isVirtualNode) return atVirtual(node, slot, far);
  const before = ralusBefore(node, carrierOf(node), far);
  return isRalu && (!before || isOff(before)) ? node : before;
}

function atInner(graph, slot, far) {
  const gives = ({ target_id, target_slot }) => isEdge(graph.outputNode, target_id) && target_slot === slot;
  const wire = [...graph.links.values()].find(gives);
  return wire ? over(graph, wire, far) : null;
}

// As the frontend itself asks such a node when a prompt is made.
function atVirtual(node, slot, far) {
  const there = far && node.resolveVirtualOutput?.(slot);
  if (there) return at(there.node, there.slot, far - 1);
  const link = far && node.getInputLink(slot);
  return link ? over(node.graph, link, far - 1) : null;
}

// All nodes that a subgraph is the inside of.
const nodesAround = (graph) => allNodes().filter(({ subgraph }) => subgraph === graph);

// The name of the input by which a node has its MODEL.
function carrierOf(node) {
  const wired = (node.inputs ?? []).filter(({ name }) => wireInto(node, name));
  const [model, any] = ["MODEL", "*"].map((type) => wired.find((one) => one.type === type));
  return (model ?? wired.find(isPipe) ?? any)?.name;
}

const isPipe = ({ type }) => PIPE.test(type);

// The name of the pipe that a node has its MODEL from, where no wire brings one to the input for it.
export function pipeInto(node, input) {
  const { into } = wiresOf(node);
  return into.has(input) ? undefined : node.inputs.find((one) => isPipe(one) && into.has(one.name))?.name;
}

// A wire of a pipe's MODEL, if the node before gives it at an output of its own, too.
export function besidePipe(node, pipe) {
  const { origin_id } = wiresOf(node).into.get(pipe);
  const outputs = node.graph.getNodeById(origin_id)?.outputs ?? [];
  const origin_slot = outputs.findIndex(({ type }) => type === "MODEL");
  return origin_slot < 0 ? undefined : { origin_id, origin_slot };
}

// Whether RALU samples, or acts in front, inside of a subgraph.
export function hasRalu(graph) {
  const acting = graph.nodes.filter((node) => !isOff(node));
  return acting.some(({ comfyClass, subgraph }) =>
    subgraph ? hasRalu(subgraph) : comfyClass === IN_FRONT || SAMPLERS.includes(comfyClass),
  );
}
