"use strict";
// Draws the report from the JSON beside it. Names are only ever set as text, never as markup.
const D = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);
const C = D.names.length;
document.documentElement.classList.add("js");

// == small tools
function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}
function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}
function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) if (value != null) node.setAttribute(key, value);
  node.append(...children.filter((child) => child != null));
  return node;
}
const clamp = (x, low, high) => Math.min(Math.max(x, low), high);
const percent = (x) => (x == null || Number.isNaN(x) ? "–" : (100 * x).toFixed(1));
const plain = (x) => (x == null ? "–" : String(Number(x.toPrecision(4))).replace("-", "−"));
const count = (x) => x.toLocaleString("en");
const pen = document.createElement("canvas").getContext("2d");
// A name cut to so many pixels of a chart's text, which may be bold.
function fit(name, room, size = 11) {
  pen.font = `bold ${size}px ${getComputedStyle(document.body).fontFamily}`;
  const wide = (words) => pen.measureText(words).width > room, letters = [...name].slice(0, Math.ceil(room));
  if (letters.length === [...name].length && !wide(name)) return name;
  while (letters.length && wide(letters.join("") + "…")) letters.pop();
  return letters.join("") + "…";
}
const groupOf = (c) => (["head", "medium", "tail"].includes(D.group[c]) ? D.group[c] : "none");
const line = (x1, y1, x2, y2, kind) => draw("line", { x1, y1, x2, y2, class: kind });
const words = (x, y, content, attributes = {}) => draw("text", { x, y, ...attributes }, content);
function ticks(low, high, about = 4) {
  const rough = (high - low) / about, power = 10 ** Math.floor(Math.log10(rough)), unit = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
  const first = Math.ceil(low / unit - 1e-9), last = Math.floor(high / unit + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * unit).toPrecision(12)));
}
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

function probability(c, score, m = 0) {
  if (score == null || D.models[m].probabilitiesGiven) return null;
  if (m === 0 && D.calibration) return sigmoid(score / D.calibration[c][0] + D.calibration[c][1]);
  return D.models[m].kind === "logit" ? sigmoid(score) : score;
}
// Models are told apart by letter, dash and shape; colour only adds to it.
const LETTERS = "ABCDEFGH", M = D.models.length;
const SHAPES = ["circle", "square", "triangle", "diamond"];
function marker(m, x, y, r, kind) {
  const shape = SHAPES[m % 4];
  if (shape === "circle") return draw("circle", { cx: x, cy: y, r, class: kind });
  const corners = { square: [[-1, -1], [1, -1], [1, 1], [-1, 1]], triangle: [[0, -1.2], [1.2, 1], [-1.2, 1]], diamond: [[0, -1.4], [1.4, 0], [0, 1.4], [-1.4, 0]] }[shape];
  return draw("polygon", { points: corners.map(([a, b]) => `${x + a * r},${y + b * r}`).join(" "), class: kind });
}
function swatch(m, raw = false) {
  const svg = draw("svg", { width: 34, height: 12, viewBox: "0 0 34 12", "aria-hidden": "true", class: raw ? "of-raw" : `of-m${m}` });
  svg.append(draw("line", { x1: 1, y1: 6, x2: 33, y2: 6, class: "line" }), marker(m, 17, 6, 3.4, raw ? "mark hollow" : "mark"));
  return svg;
}
const signed = (x) => (x == null ? "–" : (x > 0 ? "+" : "") + (100 * x).toFixed(1)).replace("-", "−").replace(/^[+−]0\.0$/, "0.0");
// Both ends of Wilson's score interval (1927) of k of n at 95 %.
function wilson(k, n) {
  const z = 1.959963984540054, p = k / n, centre = p + (z * z) / (2 * n), spread = z * Math.sqrt((p * (1 - p)) / n + (z * z) / (4 * n * n));
  return [(centre - spread) / (1 + (z * z) / n), (centre + spread) / (1 + (z * z) / n)];
}
function options(select, pairs) {
  select.replaceChildren(...pairs.map(([value, content]) => make("option", { value }, content)));
}
function canvas(width, height, label) {
  return draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}
function table(caption, head, rows) {
  const cell = (x, k) => make(k ? "td" : "th", { class: k ? "n" : null, scope: k ? null : "row" }, String(x));
  const top = make("tr", {}, ...head.map((x, k) => make("th", { scope: "col", class: k ? "n" : null }, x)));
  return make("table", {}, make("caption", { class: "sr" }, caption), make("thead", {}, top), make("tbody", {}, ...rows.map((r) => make("tr", {}, ...r.map(cell)))));
}
function lazyTable(details, build) {
  const place = details.querySelector("div");
  place.replaceChildren();
  if (details.open) place.append(build());
  details.ontoggle = () => details.open && !place.firstChild && place.append(build());
}
function tip(content, x, y) {
  const box = at("tip");
  box.classList.toggle("on", content != null);
  if (content == null) return;
  box.textContent = content;
  const left = clamp(x + 14, 4, Math.max(4, innerWidth - box.offsetWidth - 8));
  const top = y + 18 + box.offsetHeight > innerHeight ? y - box.offsetHeight - 12 : y + 18;
  box.style.transform = `translate(${left}px, ${Math.max(4, top)}px)`;
}
// A chart of which one column is in the tab order: arrow keys walk, Enter, Space or a click opens its class.
function columnsOf(svg, describe) {
  const columns = [...svg.querySelectorAll(".column")], of = (event) => event.target.closest(".column");
  svg.setAttribute("role", "group");
  columns.forEach((column, k) => fill(column, { role: "button", tabindex: k ? -1 : 0, "aria-label": describe(column.dataset.i).replaceAll("\n", ", ") }, []));
  svg.onpointermove = (event) => tip(of(event) && describe(of(event).dataset.i), event.clientX, event.clientY);
  svg.onpointerleave = svg.onfocusout = () => tip(null);
  svg.onclick = (event) => of(event) && show(+of(event).dataset.i, true);
  svg.onfocusin = (event) => { const box = event.target.getBoundingClientRect(); tip(describe(event.target.dataset.i), box.right, box.top + 60); };
  svg.onkeydown = (event) => {
    const k = columns.indexOf(of(event)), to = { ArrowRight: k + 1, ArrowLeft: k - 1, Home: 0, End: columns.length - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") show(+columns[k].dataset.i, true);
    else if (columns[to]) { columns[k].tabIndex = -1; columns[to].tabIndex = 0; columns[to].focus(); }
    else return;
    event.preventDefault();
  };
}
// A chart that arrow keys walk through; what they reach is told in words beside it.
function walkable(svg, keys) {
  svg.setAttribute("role", "application");
  svg.tabIndex = 0;
  svg.classList.add("cross");
  svg.onkeydown = (event) => {
    const by = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] }[event.key];
    if (by) { keys(...by); event.preventDefault(); }
  };
}
function inside(svg, event) {
  const box = svg.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
function absent(id, content) {
  at(id).replaceChildren(make("p", { class: "absent" }, content));
}
