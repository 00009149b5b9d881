// == one class
let chosen = -1, step = 0, model = 0;
const linesOf = (c) => (D.curves[c] ? [D.curves[c].line, ...(D.curves[c].others || [])] : []);
const curveNow = () => linesOf(chosen)[model];
const apOf = (m, c) => (m ? D.compared[m - 1].ap[c] : D.ap[c]);
function measures(curve, k) {
  const tp = curve.tp[k], fp = curve.fp[k], p = tp + fp ? tp / (tp + fp) : null, r = tp / curve.positives;
  return { t: curve.t[k], tp, fp, fn: curve.positives - tp, p, r, f1: (2 * tp) / (tp + fp + curve.positives) };
}
function show(c, jump = false) {
  chosen = c;
  at("choose").value = c;
  at("one").className = `scripted of-${groupOf(c)}`;
  for (const marked of document.querySelectorAll("[data-i].on")) marked.classList.remove("on");
  for (const mark of document.querySelectorAll(`[data-i="${c}"]`)) mark.classList.add("on");
  const seen = D.train ? `${count(D.train[c])} training and ` : "", group = groupOf(c) === "none" ? "" : D.group[c] + " class, ";
  at("about").replaceChildren(`${group}${seen}${count(D.test[c])} ${D.part} positives, AP `, make("b", {}, percent(D.ap[c])), " %, F1 ", make("b", {}, percent(D.f1[c])), " %");
  listModels();
  pick(model);
  if (!jump) return;
  at("class").scrollIntoView();
  at("choose").focus({ preventScroll: true });  // so that Tab goes on from here
}
function pick(m) {
  model = m;
  const curve = curveNow();
  for (const control of [at("slider"), at("stored")]) control.disabled = !curve;
  at("points").hidden = !curve;
  if (curve) {
    at("stored").textContent = curve.at == null ? "Best F1" : m || D.cutsGiven ? "Stored" : "One half";
    at("slider").max = curve.t.length - 1;
    step = start(curve);
    lazyTable(at("points"), () => table(`Precision and recall of ${D.names[chosen]}`, ["threshold", "probability", "precision %", "recall %", "F1 %", "true pos.", "false pos."],
      curve.t.map((t, k) => { const v = measures(curve, k); return [plain(t), percent(probability(chosen, t, m)), percent(v.p), percent(v.r), percent(v.f1), v.tp, v.fp]; })));
  }
  drawClass();
}
function listModels() {
  at("models-shown").hidden = M < 2;
  if (M < 2) return;
  const entry = (m) => {
    const radio = make("input", { type: "radio", name: "model", value: m });
    radio.checked = m === model;
    radio.onchange = () => pick(m);
    return make("label", { class: `of-m${m}` }, radio, swatch(m), make("b", { class: "letter" }, LETTERS[m]), make("span", { class: "name" }, D.models[m].name), make("span", { class: "quiet" }, `AP ${percent(apOf(m, chosen))} %`));
  };
  at("models-shown").replaceChildren(make("legend", {}, "Models", make("span", { class: "onscreen" }, "; the slider walks along the curve of the one chosen"), ". Unknown labels are left out of every AP."), ...D.models.map((_, m) => entry(m)));
}
const start = (curve) => curve.at ?? bestStep(curve);
const bestStep = (curve) => curve.t.reduce((best, _, k) => (measures(curve, k).f1 > measures(curve, best).f1 ? k : best), 0);
function drawClass() {
  const kept = D.curves[chosen], curve = curveNow(), bins = model ? null : kept?.bars;
  if (!curve) {
    at("readout").replaceChildren();
    absent("curve", kept ? "No positive of this class among these images, so there is no curve." : "This class is not among those whose curves are kept; see the notes.");
    if (!bins) absent("scale", kept ? "Every cell of this class is unknown." : "");
    else drawScale(null, bins);
    return;
  }
  drawCurves();
  drawScale(curve, bins);
  moveTo(step);
}
function pathOf(curve, x, y) {
  let d = "", last = 0, from = null;
  for (let k = 0; k < curve.t.length; k++) {
    const m = measures(curve, k);
    if (m.p == null) continue;
    d += `${from == null ? "M" : "L"}${x(last)} ${y(m.p)}L${x(m.r)} ${y(m.p)}`;
    [last, from] = [m.r, m.p];
  }
  return { d, last };
}
function drawCurves() {
  const place = at("curve"), size = Math.min(place.clientWidth, 430), left = 34, bottom = 34, w = size - left - 34, h = w * 0.82, top = 8;
  const many = M > 1 ? `s of ${M} models` : "", lines = linesOf(chosen);
  const x = (r) => left + r * w, y = (p) => top + (1 - p) * h, svg = canvas(size, top + h + bottom, `Precision-recall curve${many} for ${D.names[chosen]}`);
  for (const f of [0.2, 0.4, 0.6, 0.8]) {
    const points = [];
    for (let r = f / (2 - f); r < 1.0001; r += 0.02) points.push(`${x(r)},${y((f * r) / (2 * r - f))}`);
    svg.append(draw("polyline", { points: points.join(" "), class: "iso" }), words(x(1) + 4, y(f / (2 - f)) + 4, `F1 ${100 * f}`));
  }
  axes(svg, x, y, "recall %", "precision %");
  const above = draw("g");
  [...lines.keys()].sort((a, b) => (a === model) - (b === model)).forEach((m) => {
    const own = draw("g", { class: `of-m${m}${m === model ? " on" : ""}` }), { d, last } = pathOf(lines[m], x, y);
    if (m === model) own.append(draw("path", { d: `${d}L${x(last)} ${y(0)}L${x(0)} ${y(0)}Z`, class: "area" }));
    own.append(draw("path", { d, class: "line", id: m ? `pr-line-${m}` : "pr-line" }));
    svg.append(own);
    if (M > 1) above.append(letterAt(m, lines[m], x, y));
    markDecided(svg, m, lines[m], x, y);
  });
  const spot = draw("circle", { r: 5, class: "spot" });
  svg.append(above, spot);
  svg.classList.add("cross");
  svg.place = (m) => fill(spot, { cx: x(m.r), cy: y(m.p ?? 0) }, []);
  svg.onpointermove = svg.onpointerdown = (event) => nearest(svg, event, lines, x, y);
  svg.onpointerleave = () => tip(null);
  place.replaceChildren(svg);
}
// A letter on the curve where it is at a recall of its own, so that neighbours do not cover each other.
function letterAt(m, curve, x, y) {
  const aim = 0.16 + (0.72 * m) / Math.max(1, M - 1), far = (k) => Math.abs(measures(curve, k).r - aim);
  const k = curve.t.reduce((best, _, i) => (far(i) < far(best) ? i : best), 0), at = measures(curve, k);
  return words(x(at.r), y(at.p ?? 0) + 4, LETTERS[m], { class: `letter of-m${m}`, "text-anchor": "middle" });
}
// The threshold is marked with a ring; where a rule decides without one, what it decided with a diamond.
function markDecided(svg, m, curve, x, y) {
  const ruled = D.models[m].ruled;
  if (ruled) {
    const tp = ruled[0][chosen], fp = ruled[1][chosen];
    if (tp + fp) svg.append(marker(3, x(tp / curve.positives), y(tp / (tp + fp)), 6, "ring"));
  } else if (m === model && curve.at != null) {
    const v = measures(curve, curve.at);
    svg.append(draw("circle", { cx: x(v.r), cy: y(v.p ?? 0), r: 7, class: "ring" }));
  }
}
function nearest(svg, event, lines, x, y) {
  const [px, py] = inside(svg, event);
  let found = { far: Infinity };
  lines.forEach((curve, m) => curve.t.forEach((_, k) => {
    const v = measures(curve, k), far = (x(v.r) - px) ** 2 + (y(v.p ?? 0) - py) ** 2;
    if (far < found.far) found = { far, m, k, v };
  }));
  if (M > 1) tip(`${LETTERS[found.m]}  ${D.models[found.m].name}\nthreshold ${plain(found.v.t)}\nprecision ${percent(found.v.p)} %, recall ${percent(found.v.r)} %\nF1 ${percent(found.v.f1)} %`, event.clientX, event.clientY);
  if (found.m !== model && event.type === "pointerdown") { pick(found.m); listModels(); }
  if (found.m === model) moveTo(found.k);
}
function axes(svg, x, y, across, up) {
  for (const tick of [0, 0.25, 0.5, 0.75, 1]) {
    svg.append(line(x(0), y(tick), x(1), y(tick), tick ? "axis" : "base"), words(x(0) - 6, y(tick) + 4, 100 * tick, { "text-anchor": "end" }));
    svg.append(words(x(tick), y(0) + 15, 100 * tick, { "text-anchor": "middle" }));
  }
  svg.append(words(x(0.5), y(0) + 31, across, { "text-anchor": "middle" }), words(0, 0, up, { "text-anchor": "middle", transform: `translate(${x(0) - 29} ${y(0.5)}) rotate(-90)` }));
}
function drawScale(curve, bins) {
  const low = bins?.low ?? curve.t.at(-1), high = bins?.high ?? curve.t[0];
  const place = at("scale"), width = place.clientWidth, left = 34, w = width - left - 12, top = 16, h = curve ? 148 : 0, gap = curve ? 20 : 0, half = bins ? 62 : 0;
  let lowest = Math.min(low, curve?.t.at(-1) ?? low), highest = Math.max(high, curve?.t[0] ?? high);
  if (lowest === highest) [lowest, highest] = [lowest - 0.5, highest + 0.5];
  const x = (t) => left + ((t - lowest) / (highest - lowest)) * w, middle = top + h + gap + half, foot = middle + half;
  const svg = canvas(width, foot + 36, `F1, precision and recall of ${D.names[chosen]} against the threshold${bins ? ", above its histogram of scores" : ""}`);
  if (bins) drawBins(svg, bins, x, { left, w, middle, half, foot });
  for (const t of ticks(lowest, highest, 8)) svg.append(line(x(t), foot, x(t), foot + 4, "base"), words(x(t), foot + 16, plain(t), { "text-anchor": "middle" }));
  svg.append(words(left + w / 2, foot + 31, `score (${D.models[model].kind})`, { "text-anchor": "middle" }));
  if (curve) scaleLines(svg, curve, x, (v) => top + (1 - v) * h, left, w, foot);
  place.replaceChildren(svg);
}
function drawBins(svg, { low, high, positive, negative }, x, { left, w, middle, half, foot }) {
  const totals = [positive, negative].map((bins) => bins.reduce((a, b) => a + b, 0));
  const tallest = Math.max(...positive.map((n) => n / (totals[0] || 1)), ...negative.map((n) => n / (totals[1] || 1)));
  const wide = (x(high) - x(low)) / positive.length;
  positive.forEach((n, k) => {
    const up = (half - 4) * n / (totals[0] || 1) / tallest, down = (half - 4) * negative[k] / (totals[1] || 1) / tallest, x0 = x(low) + k * wide + 0.5;
    svg.append(draw("rect", { x: x0, y: middle - up, width: wide - 1, height: up, class: "positive" }), draw("rect", { x: x0, y: middle, width: wide - 1, height: down, class: "negative" }));
  });
  svg.append(line(left, middle, left + w, middle, "base"), words(left, middle - half + 8, `${count(totals[0])} positives`, { class: "f over" }), words(left, foot - 2, `${count(totals[1])} negatives`, { class: "over" }));
}
function scaleLines(svg, curve, x, y, left, w, foot) {
  const all = curve.t.map((_, k) => measures(curve, k));
  const path = (get) => all.flatMap((m) => (get(m) == null ? [] : [`${x(m.t)},${y(get(m))}`])).join(" ");
  for (const tick of [0, 0.5, 1]) svg.append(line(left, y(tick), left + w, y(tick), tick ? "axis" : "base"), words(left - 6, y(tick) + 4, 100 * tick, { "text-anchor": "end" }));
  svg.append(draw("polyline", { points: path((m) => m.p), class: "line thin p" }), draw("polyline", { points: path((m) => m.r), class: "line thin r" }), draw("polyline", { points: path((m) => m.f1), class: "line" }));
  [["F1", 0], ["precision (dashed)", 28], ["recall (dotted)", 142]].forEach(([name, shift]) => svg.append(words(left + shift, 8, name, { class: shift ? null : "f" })));
  const between = model ? null : D.cutIntervals?.[chosen];
  if (between) {
    const ends = between.map((end, k) => clamp(end == null ? Infinity : x(end), left, left + w));
    svg.prepend(draw("rect", { x: ends[0], y: y(1), width: Math.max(2, ends[1] - ends[0]), height: y(0) - y(1), class: "between" }));
  }
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
const never = (end) => (end == null ? "never" : plain(end));
function moveTo(k) {
  const curve = curveNow(), m = measures(curve, k);
  step = k;
  const slider = at("slider"), p = probability(chosen, m.t, model), who = M > 1 ? `${D.models[model].name}: ` : "";
  slider.value = curve.t.length - 1 - k;
  slider.setAttribute("aria-valuetext", `${who}threshold ${plain(m.t)}, precision ${percent(m.p)}, recall ${percent(m.r)}, F1 ${percent(m.f1)}`);
  for (const id of ["curve", "scale"]) at(id).firstChild.place(m);
  const entries = [["threshold", plain(m.t)], ["probability %", percent(p)], ["precision %", percent(m.p)], ["recall %", percent(m.r)], ["F1 %", percent(m.f1)], ["right / wrong / missed", `${m.tp} / ${m.fp} / ${m.fn}`]];
  const between = model ? null : D.cutIntervals?.[chosen];
  if (between) entries.splice(1, 0, ["stored one's interval", between.map(never).join(" – ")]);
  at("readout").replaceChildren(...entries.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, value))));
}
function prepareClass() {
  at("choose").append(...D.order.map((c) => make("option", { value: c }, D.names[c])));
  at("choose").onchange = (event) => show(+event.target.value);
  const walk = (by) => show(D.order[(D.order.indexOf(chosen) + by + C) % C]);
  at("previous").onclick = () => walk(-1);
  at("next").onclick = () => walk(1);
  at("slider").oninput = (event) => moveTo(curveNow().t.length - 1 - event.target.value);
  at("stored").onclick = () => moveTo(start(curveNow()));
}
