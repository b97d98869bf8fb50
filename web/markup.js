// The plot of a plan and the table of a run, as HTML. Numbers and words of this pack, but in lines
// that the server tells: they name samplers and patches of others.
import { words } from "./words.js";

const SAME = 1e-6; // steps, as in nodes/host/showing/report.py: plain ones are no slower than plain
const COLOURS = 4; // stages take them in turn, as in ralu.css
const BOX = { left: 22, top: 17, right: 196, bottom: 92 };

const fixed = (value, digits) => Number(value).toFixed(digits);
// At most that many significant digits, without trailing zeros.
const short = (value, digits) => String(Number(Number(value).toPrecision(digits)));

const ENTITIES = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
const escaped = (line) => line.replace(/[&<>]/g, (sign) => ENTITIES[sign]);

const colour = (number) => `stage${((number - 1) % COLOURS) + 1}`;

// The model that the plan is for; some plans fit any.
export const shiftWords = ({ model_shift }) =>
  model_shift == null ? words().any_shift : words().for_shift(short(model_shift, 4));

// What `schedule_values` in nodes/schedule_values.py sends.
export function planMarkup(values, origin) {
  const say = words();
  const stages = values.stages.map(
    ({ number, steps, tokens, shift }) => `<tr class="${colour(number)}"><td>${say.stage(number)}</td>
      <td>${say.steps(steps)}</td><td>${say.tokens(tokens)}</td>
      <td>${shift == null ? "" : `h ${short(shift, 4)}`}</td></tr>`,
  );
  const { matching } = values;
  return `<div class="plots">${sigmaPlot(values.stages)}${matching ? densityPlot(matching) : ""}</div>
    <table>${stages.join("")}</table>
    <p><b>${escaped(saving(values))}</b></p>
    <p class="origin">${matching ? solved(matching) : ""}${origin}</p>`;
}

// Against plain steps, the user's own first: in English as the report tells it.
function saving({ saving, speed_up, plain_steps, published_speed_up, published_steps, width, height }) {
  const size = `${width}x${height}`;
  const { compared_published } = words();
  if (!compared_published) return `${saving} at ${size}`;
  const own = times(speed_up, plain_steps, size);
  if (published_steps == null) return own;
  return `${own} ${compared_published(times(published_speed_up, published_steps, size))}`;
}

function times(speed_up, steps, size) {
  const { compared_fewer, compared_more } = words();
  if (speed_up >= 1) return compared_fewer(fixed(speed_up, 2), steps, size);
  return compared_more(fixed(1 / speed_up, 2), steps, size);
}

function solved({ z, c, js_distance }) {
  return `${words().matched(short(z, 4), short(c, 3), fixed(js_distance, 4))}, `;
}

function sigmaPlot(stages) {
  const total = stages.reduce((sum, { steps }) => sum + steps, 0);
  let done = 0;
  const curves = stages.map(({ number, steps, sigmas }) => {
    const points = sigmas.map((sigma, i) => at((done + i) / total, sigma));
    done += steps;
    const dots = points.map(([x, y]) => `<circle cx="${x}" cy="${y}" r="1.6"/>`);
    return `<g class="${colour(number)}">${line(points)}${dots.join("")}</g>`;
  });
  return frame(words().levels, "0", "1", curves.join(""), words().steps(total));
}

function densityPlot({ times, actual, target }) {
  const top = 1.05 * Math.max(...actual, ...target);
  const curve = (ys) => line(times.map((t, i) => at(t, ys[i] / top)));
  const curves = `<g class="target">${curve(target)}</g><g class="actual">${curve(actual)}</g>
    <text class="actual" x="192" y="29" text-anchor="end">P(t)</text>
    <text class="target" x="192" y="41" text-anchor="end">P_target(t)</text>`;
  return frame(words().visits, "0", fixed(top, 0), curves, "t = 1");
}

function at(x, y) {
  const { left, top, right, bottom } = BOX;
  return [fixed(left + x * (right - left), 2), fixed(bottom - y * (bottom - top), 2)];
}

const line = (points) => `<polyline points="${points.map((p) => p.join(",")).join(" ")}"/>`;

function frame(title, low, high, curves, end) {
  const { left, top, right, bottom } = BOX;
  return `<svg viewBox="0 0 200 106" role="img" aria-label="${title}">
    <rect x="${left}" y="${top}" width="${right - left}" height="${bottom - top}"/>
    <text x="${left}" y="12">${title}</text>
    <text x="${left - 4}" y="${bottom}" text-anchor="end">${low}</text>
    <text x="${left - 4}" y="${top + 8}" text-anchor="end">${high}</text>
    <text x="${left}" y="${bottom + 12}">0</text>
    <text x="${right}" y="${bottom + 12}" text-anchor="end">${end}</text>${curves}</svg>`;
}

// What `RunReport.values` in nodes/host/showing/report.py sends.
export function runMarkup(run) {
  const say = words();
  const rows = run.stages.map(
    (stage) => `<tr class="${colour(stage.number)}"><td>${say.stage(stage.number)}</td>
      <td>${stage.steps}</td><td>${calls(stage)}</td><td>${tokens(stage.tokens)}</td>
      <td>${fixed(stage.seconds, 2)}</td></tr>`,
  );
  const heads = [say.head_steps, say.head_calls, say.head_tokens, say.head_seconds];
  return `<table class="run"><tr><th></th>${heads.map((head) => `<th>${head}</th>`).join("")}
    </tr>${rows.join("")}</table><p><b>${escaped(told(run))}</b></p>
    <p class="origin">${say.seconds(fixed(run.seconds, 2), fixed(run.loading, 2))}</p>`;
}

// The same of a sampler behind the node RALU; none in English, where the server's own says it.
export function runLine(run) {
  const { compared_ran } = words();
  const computed = run.share < 1 ? ` (${fixed(100 * run.share, 0)} %)` : "";
  return compared_ran && `${compared_ran(`${run.steps}${computed}`, fixed(run.seconds, 2))}${told(run)}`;
}

// Why a sampler behind the node RALU samples plainly; none in English, likewise.
export function plainLine(why) {
  const { plainly } = words();
  return plainly?.(part(why));
}

// A part of a sentence, as `Said.as_data` in nodes/host/showing/said.py sends it.
function part({ key, text, values }) {
  const said = words().said?.[key];
  return typeof said === "function" ? said(values) : (said ?? text);
}

// In English as the log tells it; other languages have its numbers, and English for how latents grew.
function told(run) {
  const { compared, compared_plan } = words();
  if (!compared) return run.comparison;
  const plan = run.plan && compared_plan(run.plan);
  const more = [run.grown, ...run.remarks.map(part)].filter(Boolean).join("; ");
  return [comparison(run), plan, more].filter(Boolean).join(" ");
}

function comparison(run) {
  const { compared, compared_cold, compared_free, compared_published_steps, compared_no_gain } = words();
  const predicted = run.predicted_equivalents;
  if (run.is_cold) return compared_cold(fixed(predicted, 1));
  const measured = run.measured_equivalents;
  const each = fixed(run.seconds_per_full_step, 2);
  const plain = run.plain_steps;
  if (plain == null) return compared_free(fixed(measured, 1), each, fixed(predicted, 1));
  const published = run.published_steps;
  const said = [
    compared(fixed(plain / measured, 2), plain, each, fixed(plain / predicted, 2)),
    published != null && compared_published_steps(published, fixed(published / predicted, 2)),
    measured > plain && Math.abs(predicted - plain) > SAME && compared_no_gain,
  ];
  return said.filter(Boolean).join(" ");
}

// RALU Temporal Acceleration skips some of the work in these calls.
function calls(stage) {
  return stage.share < 1 ? `${stage.calls} (${fixed(100 * stage.share, 0)} %)` : `${stage.calls}`;
}

// Pictures of a batch may differ in how many regions they grow.
function tokens(counts) {
  const [least, most] = [Math.min(...counts), Math.max(...counts)];
  return least === most ? `${most}` : `${least}–${most}`;
}
