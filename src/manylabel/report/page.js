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
const cut = (name, most) => (name.length > most ? name.slice(0, most - 1) + "…" : name);
const groupOf = (c) => (["head", "medium", "tail"].includes(D.group[c]) ? D.group[c] : "none");
const line = (x1, y1, x2, y2, kind) => draw("line", { x1, y1, x2, y2, class: kind });
const words = (x, y, content, attributes = {}) => draw("text", { x, y, ...attributes }, content);
function ticks(low, high, about = 4) {
  const rough = (high - low) / about, power = 10 ** Math.floor(Math.log10(rough)), unit = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
  const first = Math.ceil(low / unit - 1e-9), last = Math.floor(high / unit + 1e-9);
  return Array.from({ length: last - first + 1 }, (_, k) => Number(((first + k) * unit).toPrecision(12)));
}
const sigmoid = (x) => 1 / (1 + Math.exp(-x));

function probability(c, score) {
  if (score == null) return null;
  if (D.calibration) return sigmoid(score / D.calibration[c][0] + D.calibration[c][1]);
  return D.kind === "logit" ? sigmoid(score) : score;
}
function canvas(width, height, label) {
  return draw("svg", { width, height, viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label });
}
function table(head, rows) {
  const cell = (x, k) => make(k ? "td" : "th", { class: k ? "n" : null, scope: k ? null : "row" }, String(x));
  const top = make("tr", {}, ...head.map((x, k) => make("th", { scope: "col", class: k ? "n" : null }, x)));
  return make("table", {}, make("thead", {}, top), make("tbody", {}, ...rows.map((r) => make("tr", {}, ...r.map(cell)))));
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
function inside(svg, event) {
  const box = svg.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}
function absent(id, content) {
  at(id).replaceChildren(make("p", { class: "absent" }, content));
}

// == average precision by frequency
function describe(c) {
  const seen = D.train ? `${count(D.train[c])} training, ` : "";
  const ap = D.ap[c] == null ? "AP not defined" : `AP ${percent(D.ap[c])} %`;
  return `${D.names[c]}\n${seen}${count(D.test[c])} ${D.part} positives\n${ap}\nthreshold ${D.cutsGiven ? plain(D.cuts[c]) : "not given"}, F1 ${percent(D.f1[c])} %`;
}
function bars() {
  const place = at("bars"), left = 42, top = 26, high = 210, low = D.train ? 56 : 0, named = C <= 150;
  const pitch = clamp((place.clientWidth - left - 4) / C, named ? 11.5 : 2.5, 46), width = left + pitch * C + 4;
  const under = named ? 96 : 10, svg = canvas(Math.ceil(width), top + high + low + under, "Average precision of every class");
  svg.setAttribute("role", "group");
  const most = Math.max(1, ...(D.train || [1]));
  for (const tick of [0, 25, 50, 75, 100]) {
    const y = top + high * (1 - tick / 100);
    svg.append(line(left, y, width - 4, y, tick ? "axis" : "base"), words(left - 6, y + 4, tick, { "text-anchor": "end" }));
  }
  if (D.train) svg.append(words(left - 6, top + high + low, count(most), { "text-anchor": "end" }));
  bands(svg, { left, top, high, low, pitch });
  D.order.forEach((c, k) => {
    const x = left + k * pitch, gap = pitch > 5 ? 1 : 0, ap = D.ap[c];
    const column = draw("g", { class: "column", role: "button", tabindex: k ? -1 : 0, "data-i": c, "aria-label": describe(c).replaceAll("\n", ", ") });
    column.append(draw("rect", { x, y: top, width: pitch, height: high + low + under - 8, class: "hit" }));
    if (ap == null) column.append(words(x + pitch / 2, top + high - 3, named ? "×" : "", { "text-anchor": "middle" }));
    else column.append(draw("rect", { x: x + gap, y: top + high * (1 - ap), width: pitch - 2 * gap, height: Math.max(high * ap, 1), class: groupOf(c) }));
    if (D.train) column.append(draw("rect", { x: x + gap, y: top + high + 1, width: pitch - 2 * gap, height: (low - 4) * Math.log1p(D.train[c]) / Math.log1p(most), class: groupOf(c) + " train" }));
    if (named) column.append(words(0, 0, cut(D.names[c], 16), { "text-anchor": "end", transform: `translate(${x + pitch / 2 + 4} ${top + high + low + 6}) rotate(-90)` }));
    svg.append(column);
  });
  const columns = [...svg.querySelectorAll(".column")];
  const of = (event) => event.target.closest(".column");
  svg.onpointermove = (event) => tip(of(event) && describe(of(event).dataset.i), event.clientX, event.clientY);
  svg.onpointerleave = () => tip(null);
  svg.onclick = (event) => of(event) && show(+of(event).dataset.i, true);
  svg.onfocusin = (event) => { const box = event.target.getBoundingClientRect(); tip(describe(event.target.dataset.i), box.right, box.top + 60); };
  svg.onfocusout = () => tip(null);
  svg.onkeydown = (event) => {
    const k = columns.indexOf(of(event)), to = { ArrowRight: k + 1, ArrowLeft: k - 1, Home: 0, End: columns.length - 1 }[event.key];
    if (event.key === "Enter" || event.key === " ") show(+columns[k].dataset.i, true);
    else if (columns[to]) { columns[k].tabIndex = -1; columns[to].tabIndex = 0; columns[to].focus(); }
    else return;
    event.preventDefault();
  };
  place.replaceChildren(svg);
}
function bands(svg, { left, top, high, low, pitch }) {
  for (const group of ["head", "medium", "tail"]) {
    const members = D.order.flatMap((c, k) => (D.group[c] === group ? [k] : []));
    if (!members.length) continue;
    const x = left + members[0] * pitch, width = (members.at(-1) - members[0] + 1) * pitch, mean = D.groupAp[group];
    svg.append(draw("rect", { x, y: top - 20, width, height: high + low + 20, class: `${group} band` }));
    const label = [group, ` · ${members.length} classes`, mean == null ? "" : ` · mAP ${percent(mean)}`];
    while (label.length && label.join("").length * 6.4 > width) label.pop();
    svg.append(words(x + 5, top - 7, label.join(""), { class: "strong" }));
    if (mean != null) svg.append(draw("rect", { x, y: top + high * (1 - mean) - 0.75, width, height: 1.5, class: `${group} mean` }));
  }
}

// == one class
let chosen = -1, step = 0;
function measures(curve, k) {
  const tp = curve.tp[k], fp = curve.fp[k], p = tp + fp ? tp / (tp + fp) : null, r = tp / curve.positives;
  return { t: curve.t[k], tp, fp, fn: curve.positives - tp, p, r, f1: (2 * tp) / (tp + fp + curve.positives) };
}
function show(c, jump = false) {
  chosen = c;
  const { line: curve } = D.curves[c] || {};
  at("choose").value = c;
  at("one").className = `scripted of-${groupOf(c)}`;
  for (const marked of document.querySelectorAll("[data-i].on")) marked.classList.remove("on");
  for (const mark of document.querySelectorAll(`[data-i="${c}"]`)) mark.classList.add("on");
  const seen = D.train ? `${count(D.train[c])} training and ` : "", group = groupOf(c) === "none" ? "" : D.group[c] + " class, ";
  at("about").replaceChildren(`${group}${seen}${count(D.test[c])} ${D.part} positives, AP `, make("b", {}, percent(D.ap[c])), " %, F1 ", make("b", {}, percent(D.f1[c])), " %");
  const controls = [at("slider"), at("stored")];
  for (const control of controls) control.disabled = !curve;
  if (curve) {
    at("stored").disabled = curve.at == null;
    at("stored").textContent = D.cutsGiven ? "Stored" : "One half";
    at("slider").max = curve.t.length - 1;
    step = curve.at ?? bestStep(curve);
    lazyTable(at("points"), () => table(["threshold", "probability", "precision %", "recall %", "F1 %", "true pos.", "false pos."],
      curve.t.map((t, k) => { const m = measures(curve, k); return [plain(t), percent(probability(c, t)), percent(m.p), percent(m.r), percent(m.f1), m.tp, m.fp]; })));
  }
  at("points").hidden = !curve;
  drawClass();
  if (jump) at("class").scrollIntoView();
}
const bestStep = (curve) => curve.t.reduce((best, _, k) => (measures(curve, k).f1 > measures(curve, best).f1 ? k : best), 0);
function drawClass() {
  const { line: curve, bars: histogram } = D.curves[chosen] || {};
  if (!curve) {
    at("readout").replaceChildren();
    absent("curve", D.curves[chosen] ? "No positive of this class among these images, so there is no curve." : "This class is not among those whose curves are kept; see the notes.");
    if (!histogram) absent("scale", D.curves[chosen] ? "Every cell of this class is unknown." : "");
    else drawScale(null, histogram);
    return;
  }
  drawCurve(curve);
  drawScale(curve, histogram);
  moveTo(step);
}
function drawCurve(curve) {
  const place = at("curve"), size = Math.min(place.clientWidth, 430), left = 34, bottom = 34, w = size - left - 34, h = w * 0.82, top = 8;
  const x = (r) => left + r * w, y = (p) => top + (1 - p) * h, svg = canvas(size, top + h + bottom, `Precision-recall curve of ${D.names[chosen]}`);
  for (const f of [0.2, 0.4, 0.6, 0.8]) {
    const points = [];
    for (let r = f / (2 - f); r < 1.0001; r += 0.02) points.push(`${x(r)},${y((f * r) / (2 * r - f))}`);
    svg.append(draw("polyline", { points: points.join(" "), class: "iso" }), words(x(1) + 4, y(f / (2 - f)) + 4, `F1 ${100 * f}`));
  }
  axes(svg, x, y, "recall %", "precision %");
  let path = "", last = 0, from = null;
  for (let k = 0; k < curve.t.length; k++) {
    const m = measures(curve, k);
    if (m.p == null) continue;
    path += `${from == null ? "M" : "L"}${x(last)} ${y(m.p)}L${x(m.r)} ${y(m.p)}`;
    [last, from] = [m.r, m.p];
  }
  svg.append(draw("path", { d: `${path}L${x(last)} ${y(0)}L${x(0)} ${y(0)}Z`, class: "area" }), draw("path", { d: path, class: "line", id: "pr-line" }));
  if (curve.at != null) { const m = measures(curve, curve.at); svg.append(draw("circle", { cx: x(m.r), cy: y(m.p ?? 0), r: 7, class: "ring" })); }
  const spot = draw("circle", { r: 5, class: "spot" });
  svg.append(spot);
  svg.classList.add("cross");
  svg.place = (m) => fill(spot, { cx: x(m.r), cy: y(m.p ?? 0) }, []);
  svg.onpointermove = svg.onpointerdown = (event) => {
    const [px, py] = inside(svg, event);
    const far = (k) => { const m = measures(curve, k); return (x(m.r) - px) ** 2 + (y(m.p ?? 0) - py) ** 2; };
    moveTo(curve.t.reduce((best, _, k) => (far(k) < far(best) ? k : best), 0));
  };
  place.replaceChildren(svg);
}
function axes(svg, x, y, across, up) {
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(line(x(0), y(tick), x(1), y(tick), tick ? "axis" : "base"), words(x(0) - 6, y(tick) + 4, 100 * tick, { "text-anchor": "end" }));
    svg.append(words(x(tick), y(0) + 15, 100 * tick, { "text-anchor": "middle" }));
  }
  svg.append(words(x(0.5), y(0) + 31, across, { "text-anchor": "middle" }), words(0, 0, up, { "text-anchor": "middle", transform: `translate(${x(0) - 29} ${y(0.5)}) rotate(-90)` }));
}
function drawScale(curve, { low, high, positive, negative }) {
  const place = at("scale"), width = place.clientWidth, left = 34, w = width - left - 12, top = 16, h = curve ? 148 : 0, gap = curve ? 20 : 0, half = 62;
  const lowest = Math.min(low, curve?.t.at(-1) ?? low), highest = Math.max(high, curve?.t[0] ?? high);
  const x = (t) => left + ((t - lowest) / (highest - lowest)) * w, middle = top + h + gap + half, foot = middle + half;
  const svg = canvas(width, foot + 36, `F1, precision and recall of ${D.names[chosen]} against the threshold, above its histogram of scores`);
  const totals = [positive, negative].map((bins) => bins.reduce((a, b) => a + b, 0));
  const tallest = Math.max(...positive.map((n) => n / (totals[0] || 1)), ...negative.map((n) => n / (totals[1] || 1)));
  const wide = (x(high) - x(low)) / positive.length;
  positive.forEach((n, k) => {
    const up = (half - 4) * n / (totals[0] || 1) / tallest, down = (half - 4) * negative[k] / (totals[1] || 1) / tallest, x0 = x(low) + k * wide + 0.5;
    svg.append(draw("rect", { x: x0, y: middle - up, width: wide - 1, height: up, class: "positive" }), draw("rect", { x: x0, y: middle, width: wide - 1, height: down, class: "negative" }));
  });
  svg.append(line(left, middle, left + w, middle, "base"), words(left, middle - half + 8, `${count(totals[0])} positives`, { class: "f" }), words(left, foot - 2, `${count(totals[1])} negatives`));
  for (const t of ticks(lowest, highest, 8)) svg.append(line(x(t), foot, x(t), foot + 4, "base"), words(x(t), foot + 16, plain(t), { "text-anchor": "middle" }));
  svg.append(words(left + w / 2, foot + 31, `score (${D.kind})`, { "text-anchor": "middle" }));
  if (curve) scaleLines(svg, curve, x, (v) => top + (1 - v) * h, left, w, foot);
  place.replaceChildren(svg);
}
function scaleLines(svg, curve, x, y, left, w, foot) {
  const all = curve.t.map((_, k) => measures(curve, k));
  const path = (get) => all.flatMap((m) => (get(m) == null ? [] : [`${x(m.t)},${y(get(m))}`])).join(" ");
  for (const tick of [0, 0.5, 1]) svg.append(line(left, y(tick), left + w, y(tick), tick ? "axis" : "base"), words(left - 6, y(tick) + 4, 100 * tick, { "text-anchor": "end" }));
  svg.append(draw("polyline", { points: path((m) => m.p), class: "line thin p" }), draw("polyline", { points: path((m) => m.r), class: "line thin r" }), draw("polyline", { points: path((m) => m.f1), class: "line" }));
  [["F1", 0], ["precision (dashed)", 28], ["recall (dotted)", 142]].forEach(([name, shift]) => svg.append(words(left + shift, 8, name, { class: shift ? null : "f" })));
  if (curve.at != null) svg.append(line(x(curve.t[curve.at]), y(1), x(curve.t[curve.at]), foot, "ringline"));
  const cursor = line(0, y(1), 0, foot, "cursor"), spot = draw("circle", { r: 5, class: "spot" });
  svg.append(cursor, spot);
  svg.classList.add("cross");
  svg.place = (m) => { fill(cursor, { x1: x(m.t), x2: x(m.t) }, []); fill(spot, { cx: x(m.t), cy: y(m.f1) }, []); };
  svg.onpointermove = svg.onpointerdown = (event) => {
    const px = inside(svg, event)[0];
    moveTo(curve.t.reduce((best, t, k) => (Math.abs(x(t) - px) < Math.abs(x(curve.t[best]) - px) ? k : best), 0));
  };
}
function moveTo(k) {
  const { line: curve } = D.curves[chosen], m = measures(curve, k);
  step = k;
  const slider = at("slider"), p = probability(chosen, m.t);
  slider.value = curve.t.length - 1 - k;
  slider.setAttribute("aria-valuetext", `threshold ${plain(m.t)}, precision ${percent(m.p)}, recall ${percent(m.r)}, F1 ${percent(m.f1)}`);
  for (const id of ["curve", "scale"]) at(id).firstChild.place(m);
  const entries = [["threshold", plain(m.t)], ["probability %", percent(p)], ["precision %", percent(m.p)], ["recall %", percent(m.r)], ["F1 %", percent(m.f1)], ["right / wrong / missed", `${m.tp} / ${m.fp} / ${m.fn}`]];
  at("readout").replaceChildren(...entries.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value))));
}
function prepareClass() {
  at("choose").append(...D.order.map((c) => make("option", { value: c }, D.names[c])));
  at("choose").onchange = (event) => show(+event.target.value);
  const walk = (by) => show(D.order[(D.order.indexOf(chosen) + by + C) % C]);
  at("previous").onclick = () => walk(-1);
  at("next").onclick = () => walk(1);
  at("slider").oninput = (event) => moveTo(D.curves[chosen].line.t.length - 1 - event.target.value);
  at("stored").onclick = () => moveTo(D.curves[chosen].line.at);
}

// == class table
function prepareTable() {
  const body = at("table").tBodies[0], rows = [...body.rows], heads = [...at("table").tHead.rows[0].cells];
  const value = (row, k) => { const shown = row.cells[k].textContent.replace("−", "-"); return shown === "–" ? null : k < 2 ? shown.toLowerCase() : Number(shown); };
  const groups = ["head", "medium", "tail"];
  heads.forEach((head, k) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.replaceChildren(button);
    button.onclick = () => {
      const up = head.ariaSort ? head.ariaSort === "descending" : k < 2;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keyed = rows.map((row, place) => [k === 1 ? groups.indexOf(value(row, 1)) : value(row, k), place, row]);
      keyed.sort(([a, i], [b, j]) => (a == null) - (b == null) || (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1) || i - j);
      body.append(...keyed.map(([, , row]) => row));
    };
  });
  at("table").tHead.classList.add("live");
  const sift = () => {
    const part = at("filter").value.trim().toLowerCase(), group = at("group").value;
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(D.names[row.dataset.i].toLowerCase().includes(part) && (!group || D.group[row.dataset.i] === group));
      shown += !row.hidden;
    }
    at("shown").textContent = `${count(shown)} of ${count(rows.length)} classes`;
  };
  at("filter").oninput = at("group").onchange = sift;
  at("filters").onsubmit = (event) => event.preventDefault();
  body.onclick = (event) => { const row = event.target.closest("tr"); if (row) show(+row.dataset.i, true); };
  sift();
}

// == gallery
const OUTCOMES = ["hit", "extra", "missed", "unjudged"], PAGE = 24;
let page = PAGE;
const chance = (p) => (p < 1 ? "below 0.1" : p > 999 ? "above 99.9" : (p / 10).toFixed(1)) + " %";
function card([k, c, p], kind) {
  const image = D.gallery.images[k], chips = image.labels.map(([j, outcome, q]) =>
    make("span", { class: `chip ${OUTCOMES[outcome]}${j === c ? " this" : ""}`, title: `${D.names[j]}: probability ${chance(q)}` }, D.names[j]));
  if (image.more) chips.push(make("span", { class: "chip" }, `and ${image.more} more`));
  const picture = image.picture ? make("img", { src: image.picture, alt: `Image ${image.id}`, loading: "lazy", decoding: "async" }) : make("div", { class: "nopicture" }, "no picture");
  const said = `${kind === "extra" ? "decided" : "missed"} at ${chance(p)}`;
  return make("li", {}, picture, make("h3", { class: "name" }, D.names[c]), make("p", {}, said), make("p", { class: "id" }, image.id + (image.unknown ? ` · ${image.unknown} label${image.unknown > 1 ? "s" : ""} unknown` : "")), make("p", { class: "chips" }, ...chips));
}
function cards() {
  const kind = at("which").elements.kind.value, only = at("error-class").value;
  const list = D.gallery[kind].filter(([, c]) => only === "" || c === +only);
  at("cards").replaceChildren(...list.slice(0, page).map((error) => card(error, kind)));
  if (!list.length) at("cards").append(make("li", { class: "absent" }, `No false ${kind === "extra" ? "positives" : "negatives"} to show.`));
  at("error-count").textContent = `${Math.min(page, list.length)} of ${list.length} kept`;
  at("more").hidden = list.length <= page;
}
function prepareGallery() {
  const having = new Set([...D.gallery.extra, ...D.gallery.missed].map(([, c]) => c));
  at("error-class").append(make("option", { value: "" }, "all classes"), ...D.order.filter((c) => having.has(c)).map((c) => make("option", { value: c }, D.names[c])));
  at("which").onchange = () => { page = PAGE; cards(); };
  at("more").onclick = () => { page += PAGE; cards(); };
  cards();
}

// == heat maps: co-occurrence and unknown cells
function heat(place, { rows, columns, value, describe, under, cell, left, top, label }) {
  const [w, h] = cell, width = left + columns * w + 2, height = top + rows * h + 2, svg = canvas(width, height, label);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
    const v = value(i, j);
    if (v === 0) continue;
    const kind = v == null ? "blank" : v < 0 ? "diagonal" : "heat";
    svg.append(draw("rect", { x: left + j * w, y: top + i * h, width: w - (w > 5 ? 0.6 : 0), height: h - 0.6, class: kind, "fill-opacity": v > 0 ? Math.sqrt(v).toFixed(3) : null }));
  }
  svg.append(draw("rect", { x: left, y: top, width: columns * w, height: rows * h, class: "frame" }));
  const pointer = draw("rect", { width: w, height: h, class: "pointer", visibility: "hidden" });
  svg.append(pointer);
  let spot = [0, 0];
  const go = (i, j) => {
    spot = [clamp(i, 0, rows - 1), clamp(j, 0, columns - 1)];
    fill(pointer, { x: left + spot[1] * w, y: top + spot[0] * h, visibility: "visible" }, []);
    under.textContent = describe(...spot);
  };
  svg.tabIndex = 0;
  svg.classList.add("cross");
  svg.onpointermove = svg.onpointerdown = (event) => {
    const [px, py] = inside(svg, event), i = Math.floor((py - top) / h), j = Math.floor((px - left) / w), on = i >= 0 && j >= 0 && i < rows && j < columns;
    if (on) go(i, j);
    tip(on ? describe(i, j) : null, event.clientX, event.clientY);
  };
  svg.onpointerleave = () => tip(null);
  svg.onfocus = () => go(...spot);
  svg.onkeydown = (event) => {
    const by = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] }[event.key];
    if (by) { go(spot[0] + by[0], spot[1] + by[1]); event.preventDefault(); }
  };
  place.replaceChildren(svg);
  return svg;
}
function matrix() {
  const { classes, grouped, tables } = D.matrix, place = at("matrix"), n = classes.length;
  const [both, base] = tables[at("matrix-table").value], order = at("matrix-order").value === "grouped" ? grouped : classes.map((_, k) => k);
  const roomy = place.clientWidth > 520, left = roomy ? 92 : 0, size = clamp((place.clientWidth - left - 4) / n, 5, 26), top = roomy && size >= 8 ? 86 : 0;
  const name = (k) => D.names[classes[order[k]]], get = (i, j) => [both[order[i]][order[j]], base[order[i]][order[j]]];
  const svg = heat(place, {
    rows: n, columns: n, cell: [size, size], left, top, under: at("matrix-under"), label: "Co-occurrence: probability of the column's class given the row's",
    value: (i, j) => { const [a, b] = get(i, j); return i === j ? -1 : b ? a / b : null; },
    describe: (i, j) => { const [a, b] = get(i, j); return i === j ? `${name(i)}: ${count(a)} images` : `P(${name(j)} | ${name(i)}) = ${b ? percent(a / b) + " %" : "not defined"} (${count(a)} of ${count(b)} images)`; },
  });
  for (let k = 0; k < n && left && size >= 8; k++) {
    svg.append(words(left - 5, top + (k + 0.5) * size + 3.5, cut(name(k), 14), { "text-anchor": "end" }));
    svg.append(words(0, 0, cut(name(k), 13), { transform: `translate(${left + (k + 0.5) * size + 3.5} ${top - 5}) rotate(-90)` }));
  }
}
function prepareMatrix() {
  const n = D.matrix.classes.length, some = n < C ? ` The ${n} most frequent of ${count(C)} classes.` : "";
  at("matrix-lead").textContent = `Row: the class that is present. Column: how often the other one is too, P(column | row), over images where the other is known.${some}`;
  at("matrix-table").append(...Object.keys(D.matrix.tables).map((what) => make("option", {}, what)));
  at("matrix-form").onchange = matrix;
  at("matrix-form").onsubmit = (event) => event.preventDefault();
  if (n < 2) { at("matrix-form").hidden = true; absent("matrix", "There is only one class, so nothing can come together."); }
}
function unknown() {
  const parts = Object.keys(D.unknown);
  if (!parts.some((part) => D.unknown[part].some((x) => x > 0))) return [at("unknown-table"), at("unknown-under")].forEach((e) => (e.hidden = true));
  const place = at("unknown"), left = 46, w = clamp((place.clientWidth - left - 4) / C, 3, 46), shares = (i, j) => D.unknown[parts[i]][D.order[j]];
  const svg = heat(place, {
    rows: parts.length, columns: C, cell: [w, 30], left, top: 0, under: at("unknown-under"), value: shares, label: "Share of unknown cells, class by part",
    describe: (i, j) => `${D.names[D.order[j]]}, ${parts[i]}: ${shares(i, j) == null ? "no image" : percent(shares(i, j)) + " % unknown"}`,
  });
  parts.forEach((part, i) => svg.append(words(left - 8, 30 * i + 19, part, { "text-anchor": "end" })));
  lazyTable(at("unknown-table"), () => table(["class", ...parts.map((p) => p + " %")], D.order.map((c) => [D.names[c], ...parts.map((p) => percent(D.unknown[p][c]))])));
}

// == labels per image, learning curves
function perImage() {
  const { truth, decided, mean, capped } = D.perImage, place = at("per-image"), width = place.clientWidth, left = 40, high = 190, top = 22;
  at("per-image-lead").textContent = `Mean ${mean[0].toFixed(2)} in truth, ${mean[1].toFixed(2)} as decided, both over known cells.`;
  const most = Math.max(1, ...truth, ...decided), pitch = (width - left) / truth.length, bar = Math.min(18, pitch * 0.4);
  const svg = canvas(width, top + high + 36, "Images by number of labels, truth and decided");
  for (const n of ticks(0, most, 3).filter(Number.isInteger)) {
    const y = top + high * (1 - n / most);
    svg.append(line(left, y, width, y, n ? "axis" : "base"), words(left - 6, y + 4, count(n), { "text-anchor": "end" }));
  }
  truth.forEach((n, k) => {
    const x = left + (k + 0.5) * pitch, every = Math.ceil(22 / pitch);
    [[n, "truth", -bar], [decided[k], "decided", 0]].forEach(([m, kind, shift]) => svg.append(draw("rect", { x: x + shift, y: top + high * (1 - m / most), width: bar - 1, height: high * m / most, class: kind })));
    if (k % every === 0) svg.append(words(x, top + high + 15, k + (capped && k === truth.length - 1 ? "+" : ""), { "text-anchor": "middle" }));
  });
  svg.append(words(left + (width - left) / 2, top + high + 32, "labels in an image", { "text-anchor": "middle" }), draw("rect", { x: left, y: 0, width: 9, height: 9, class: "truth" }), words(left + 14, 9, "truth"), draw("rect", { x: left + 60, y: 0, width: 9, height: 9, class: "decided" }), words(left + 74, 9, "decided"));
  svg.onpointermove = (event) => { const k = Math.floor((inside(svg, event)[0] - left) / pitch); tip(truth[k] == null ? null : `${k} labels\ntruth ${count(truth[k])} images\ndecided ${count(decided[k])} images`, event.clientX, event.clientY); };
  svg.onpointerleave = () => tip(null);
  place.replaceChildren(svg);
}
function learning() {
  if (!D.log) return;
  const { epoch, ...rest } = D.log, length = Object.values(D.log)[0].length, xs = epoch || [...Array(length).keys()];
  at("log").replaceChildren(...Object.entries(rest).map(([name, ys]) => make("figure", {}, make("figcaption", {}, name), make("div", { class: "chart" }))));
  [...at("log").querySelectorAll(".chart")].forEach((place, k) => small(place, xs, ...Object.entries(rest)[k]));
}
function small(place, xs, name, ys) {
  const width = place.clientWidth, left = 48, high = 120, top = 8, w = width - left - 10;
  const pairs = xs.map((x, k) => [x, ys[k]]).filter(([x, y]) => x != null && y != null);
  if (!pairs.length) return place.append(make("p", { class: "absent" }, "no numbers"));
  const spread = (values) => { const low = Math.min(...values), high = Math.max(...values); return low === high ? [low - 0.5, high + 0.5] : [low, high]; };
  const [x0, x1] = spread(pairs.map(([x]) => x)), [y0, y1] = spread(pairs.map(([, y]) => y));
  const best = /map|f1|precision|recall|accuracy/i.test(name) ? pairs.reduce((a, b) => (b[1] > a[1] ? b : a)) : pairs.at(-1);
  place.previousSibling.append(make("b", {}, ` ${plain(best[1])}`), best === pairs.at(-1) ? " at the end" : ` best, epoch ${best[0]}`);
  const x = (v) => left + ((v - x0) / (x1 - x0)) * w, y = (v) => top + (1 - (v - y0) / (y1 - y0)) * high;
  const svg = canvas(width, top + high + 22, `${name} by epoch, last ${plain(pairs.at(-1)[1])}`);
  for (const v of ticks(y0, y1, 3)) svg.append(line(left, y(v), left + w, y(v), "axis"), words(left - 6, y(v) + 4, plain(v), { "text-anchor": "end" }));
  svg.append(words(x(x0), top + high + 16, plain(x0)), words(x(x1), top + high + 16, plain(x1), { "text-anchor": "end" }), words(left + w / 2, top + high + 16, "epoch", { "text-anchor": "middle" }));
  svg.append(draw("polyline", { points: pairs.map(([a, b]) => `${x(a)},${y(b)}`).join(" "), class: "line" }));
  svg.append(draw("circle", { cx: x(best[0]), cy: y(best[1]), r: 4, class: "decided" }));
  svg.onpointermove = (event) => { const px = inside(svg, event)[0], near = pairs.reduce((a, b) => (Math.abs(x(b[0]) - px) < Math.abs(x(a[0]) - px) ? b : a)); tip(`epoch ${near[0]}\n${name} ${plain(near[1])}`, event.clientX, event.clientY); };
  svg.onpointerleave = () => tip(null);
  place.append(svg);
}

// == start
function drawAll() {
  bars();
  if (D.matrix.classes.length > 1) matrix();
  unknown();
  perImage();
  learning();
}
prepareClass();
prepareTable();
prepareGallery();
prepareMatrix();
drawAll();
show(D.order.find((c) => D.curves[c]?.line) ?? D.order[0]);
let drawnAt = innerWidth, waiting;
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (innerWidth === drawnAt) return;
    drawnAt = innerWidth;
    const k = step;
    drawAll();
    show(chosen);
    if (D.curves[chosen]?.line) moveTo(k);
  }, 150);
});
