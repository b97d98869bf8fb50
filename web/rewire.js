// What a node's menu offers: RALU Sampler in place of a KSampler, and RALU on a sampler's MODEL wire.
import { app } from "../../scripts/app.js";
import { IN_FRONT, besidePipe, hasRalu, isOff, pipeInto, ralusBefore } from "./comes_from.js";
import { warn } from "./tell.js";
import { bringIntoView } from "./view.js";
import { asOneChange, inputOf, nodeBefore, wireFrom, wireInto, wireTo, wiresOf } from "./wires.js";
import { words } from "./words.js";

const SAMPLER = "RALU_Sampler";
const QUALITY = "balanced"; // as where RALU is put in front
const RENAMED = { steps: "plain_steps" }; // what RALU is compared with; few steps choose its plan
const IDLE = "scheduler"; // which has no effect with RALU
const NAMED = "Node name for S&R"; // by which "%KSampler.seed%" in a file's name finds its node
const SAMPLED = ["LATENT", "IMAGE", "GUIDER"]; // what nodes that sample a MODEL give
const ALWAYS = 0; // the mode of a node that is neither muted nor bypassed
const TITLE = 30;
const GAP = 40; // canvas units
const LINES = 160; // that the node grows by when it tells of a run

const isKnown = (type) => type in LiteGraph.registered_node_types;

// What is offered for a node as it is wired now, by the command's name: its label among the words, and what
// it does.
export function offers(node) {
  const found = {};
  if (node.comfyClass === "KSampler" && isKnown(SAMPLER)) {
    found.replace = ["replace", () => change(() => replace(node))];
  }
  const [taker, input] = takerOfModel(node);
  if (!taker || !isKnown(IN_FRONT)) return found;
  const before = ralusBefore(taker, pipeInto(taker, input) ?? input);
  if (!before) found.in_front = ["in_front", () => wireInFront(taker, input)];
  else if (isOff(before)) found.in_front = ["switch_on", () => change(() => switchOn(before, taker))];
  return found;
}

// One step to undo; selects what it made, and says what could not be kept.
async function change(make) {
  const { made, behind, left } = await asOneChange(app.canvas, make);
  if (made.graph === app.canvas.graph) {
    app.canvas.selectItems([made]);
    if (behind) bringIntoView(made, behind);
  }
  if (left.length) warn(left.join(" "));
}

function replace(node) {
  const { graph } = node;
  const { into, from } = wiresOf(node);
  const settings = ralusBefore(node, "model"); // whose plan would not act any more
  const apart = settings ? wiresTaken(node, settings, into) : [];
  const vae = vaeBehind(node) ?? wireOfVae(nodeBefore(node, "latent_image"));
  const values = [...valuesOf(node), ["quality", QUALITY], ...valuesOf(settings)];
  const made = LiteGraph.createNode(SAMPLER);
  const defaults = new Map(valuesOf(made));
  const { id, pos, size, mode, flags, color, bgcolor, shape } = node;
  const title = node.title === node.constructor.title ? made.title : node.title;
  shareOptions(node, made);
  graph.remove(node);
  // Under the same id, which subgraphs and programs name it by.
  Object.assign(made, { id, title, mode, pos: [...pos], flags: { ...flags } });
  for (const [name, value] of Object.entries({ color, bgcolor, shape })) {
    if (value !== undefined) made[name] = value;
  }
  made.properties[NAMED] = node.properties?.[NAMED] ?? made.properties[NAMED];
  graph.add(made);
  const left = [...setValues(made, values, defaults), ...rewire(made, into, from, vae)];
  const lost = apart.filter((name) => !made.isInputConnected(made.findInputSlot(name)));
  if (lost.length) left.push(words().lost(lost.join(", ")));
  if (settings) left.push(words().taken(settings.title));
  made.setSize([Math.max(size[0], made.size[0]), made.computeSize()[1]]);
  return { made, left };
}

// Adds the wires of a node RALU to those of the sampler behind it, but its MODEL where other nodes are
// between; tells which of them cannot be had, as they are of another graph.
function wiresTaken(node, settings, into) {
  const wires = [...wiresOf(settings).into];
  const isNext = nodeBefore(node, "model") === settings;
  const others = wires.filter(([name]) => isNext || name !== "model");
  if (settings.graph !== node.graph) return others.map(([name]) => name);
  for (const [name, wire] of others) into.set(name, wire);
  return [];
}

const valuesOf = (node) => (node?.widgets ?? []).map(({ name, value }) => [name, value]);

const namesake = (made, name) => made.widgets.find((one) => one.name === (RENAMED[name] ?? name));

// Frontends from 1.40 on give a node under an old id the widgets' old states, these options among them.
function shareOptions(node, made) {
  for (const { name, options } of node.widgets ?? []) {
    const widget = made.widgets.find((one) => one.name === name);
    if (widget && options) Object.assign(options, widget.options);
  }
}

// `defaults` by name, which old states hide.
function setValues(made, values, defaults) {
  const left = [];
  for (const [name, value] of values) {
    const widget = namesake(made, name);
    if (!widget) continue;
    widget.value = offered(widget, value, defaults.get(widget.name));
    if (widget.value !== value) left.push(words().other(name, value, widget.value));
  }
  return left;
}

// A value if a widget offers it: else the nearest number, or its default.
function offered({ options = {} }, value, byDefault) {
  if (Array.isArray(options.values)) return options.values.includes(value) ? value : byDefault;
  if (typeof value !== "number") return value;
  return Math.min(options.max ?? value, Math.max(options.min ?? value, value));
}

function rewire(made, into, from, vae) {
  const lost = [];
  for (const [name, wire] of into) {
    if (!wireTo(wire, made, RENAMED[name] ?? name) && name !== IDLE) lost.push(name);
  }
  for (const wire of from) wireFrom(made, wire);
  const left = lost.length ? [words().lost(lost.join(", "))] : [];
  if (vae) wireTo(vae, made, "vae");
  return left;
}

// The wire of the VAE that decodes what the sampler makes.
function vaeBehind(node) {
  const { graph } = node;
  const behind = wiresOf(node).from.map(({ target_id }) => graph.getNodeById(target_id));
  return behind.map(wireOfVae).find(Boolean);
}

function wireOfVae(node) {
  const input = node && inputOf(node, "VAE");
  return input && wiresOf(node).into.get(input);
}

function switchOn(before, taker) {
  before.mode = ALWAYS;
  const isElsewhere = before.graph !== taker.graph;
  return { made: before, behind: taker, left: isElsewhere ? [words().switched_on(before.title)] : [] };
}

function wireInFront(taker, input) {
  const pipe = pipeInto(taker, input);
  const wire = pipe ? besidePipe(taker, pipe) : wireInto(taker, input);
  if (pipe && !wire) return warn(words().piped(taker.title, input));
  return change(() => putInFront(taker, input, wire));
}

function putInFront(taker, input, wire) {
  const { graph } = taker;
  const made = LiteGraph.createNode(IN_FRONT);
  made.pos = freePlace(graph, taker, made); // older Nodes 2.0 looks only as the node is added
  graph.add(made);
  const left = [];
  if (!wire) left.push(words().unwired);
  else if (!wireTo(wire, made, inputOf(made, "MODEL"))) left.push(words().lost(input));
  wireFrom(made, { type: "MODEL", target_id: taker.id, target_slot: taker.findInputSlot(input) });
  return { made, behind: taker, left };
}

const isOurs = (node) => node?.comfyClass?.startsWith("RALU_");

// The node, or the guider before it, that samples a MODEL for others than ours, and that input's name.
function takerOfModel(node) {
  const taker = inputOf(node, "GUIDER") ? nodeBefore(node, inputOf(node, "GUIDER")) : node;
  const input = taker && inputOf(taker, "MODEL");
  const gives = (taker?.outputs ?? []).map(({ type }) => type);
  if (!input || !SAMPLED.some((type) => gives.includes(type))) return [];
  if (taker.subgraph && hasRalu(taker.subgraph)) return [];
  return [node, taker, ...nodesAfter(taker, "GUIDER")].some(isOurs) ? [] : [taker, input];
}

const nodesAfter = (node, type) =>
  wiresOf(node)
    .from.filter((wire) => wire.type === type)
    .map(({ target_id }) => node.graph.getNodeById(target_id));

// Above a node, and above whatever lies there.
function freePlace(graph, node, { size: [width, height] }) {
  const [x] = node.pos;
  let bottom = node.pos[1];
  for (;;) {
    const y = bottom - TITLE - GAP - LINES - height;
    const inTheWay = graph.nodes.filter(
      ({ pos, size }) =>
        pos[0] < x + width &&
        x < pos[0] + size[0] &&
        pos[1] - TITLE < bottom - TITLE - GAP &&
        y - TITLE < pos[1] + size[1],
    );
    if (!inTheWay.length) return [x, y];
    bottom = Math.min(...inTheWay.map(({ pos }) => pos[1]));
  }
}
