// == calibration: what share of the cells of a probability are positives
const R = D.reliability, MASS = 1, WIDTH = 0;
let looking = { series: 0, point: 0 };
const seriesName = ([m, calibrated]) => (M > 1 ? `${LETTERS[m]} ` : "") + D.models[m].name + (m || !D.calibration ? "" : calibrated ? ", calibrated" : ", raw");
const binKind = () => (at("reliability-form").elements.bins.value === "mass" ? MASS : WIDTH);
// [{ mean, share, low, high, k, n }] of one series in the chosen scope.
function pointsOf(series) {
  const flat = R.scopes[at("reliability-scope").value]?.[series][binKind()] || [];
  return Array.from({ length: flat.length / 3 }, (_, i) => {
    const [mean, k, n] = flat.slice(3 * i, 3 * i + 3), [low, high] = wilson(k, n);
    return { mean, share: k / n, low, high, k, n };
  });
}
function prepareReliability() {
  const wholes = Object.keys(R.means), kept = D.order.filter((c) => R.errors[c]);
  const titles = { all: "all cells", head: "head classes", medium: "medium classes", tail: "tail classes" };
  options(at("reliability-scope"), [...wholes.map((s) => [s, titles[s]]), ...kept.map((c) => [c, D.names[c]])]);
  at("reliability-series").append(make("legend", { class: "sr" }, "Shown"), ...R.series.map((one, s) => {
    const [m, calibrated] = one, box = make("input", { type: "checkbox", value: s });
    box.checked = true;
    return make("label", { class: calibrated ? `of-m${m}` : "of-raw" }, box, swatch(m, !calibrated), make("span", { class: "name" }, seriesName(one)));
  }));
  at("reliability-form").onchange = drawReliability;
  at("reliability-form").onsubmit = (event) => event.preventDefault();
}
const shownSeries = () => [...at("reliability-series").querySelectorAll("input:checked")].map((box) => +box.value);
function drawReliability() {
  const scope = at("reliability-scope").value, shown = shownSeries(), lists = shown.map(pointsOf);
  errorTable(scope);
  if (!R.scopes[scope]) {
    absent("reliability", "The diagram of this class is not kept, to keep this file small; its errors are.");
    at("reliability-table").hidden = true;
    return;
  }
  if (!lists.some((list) => list.length)) {
    absent("reliability", shown.length ? "Every cell is unknown here." : "Choose at least one curve.");
    at("reliability-table").hidden = true;
    return;
  }
  at("reliability-table").hidden = false;
  looking = { series: lists.findIndex((list) => list.length), point: 0 };
  diagram(shown, lists);
  lazyTable(at("reliability-table"), () => table("Points of the reliability diagram", ["curve", "mean probability %", "positives %", "95 % interval", "positives", "cells"],
    shown.flatMap((s, k) => lists[k].map((p) => [seriesName(R.series[s]), (100 * p.mean).toFixed(2), (100 * p.share).toFixed(2), `${(100 * p.low).toFixed(2)} – ${(100 * p.high).toFixed(2)}`, count(p.k), count(p.n)]))));
}
function errorTable(scope) {
  const two = (x) => (x == null ? "–" : (100 * x).toFixed(2)), mean = R.means[scope];
  const head = ["curve", "equal mass", "equal width", ...(mean ? ["mean of classes, mass", "mean of classes, width"] : [])];
  at("reliability-errors").replaceChildren(table("Expected calibration error", head, R.series.map((one, s) => {
    const own = R.errors[scope]?.[s] || [null, null];
    return [seriesName(one), two(own[MASS]), two(own[WIDTH]), ...(mean ? [two(mean[s][MASS]), two(mean[s][WIDTH])] : [])];
  })));
}
function diagram(shown, lists) {
  const place = at("reliability"), size = Math.min(place.clientWidth, 460), left = 38, w = size - left - 14, h = w * 0.84, top = 8, strip = 44;
  const most = at("reliability-zoom").checked ? clamp(1.06 * Math.max(...lists.flat().flatMap((p) => [p.mean, p.high])), 1e-4, 1) : 1;
  const x = (v) => left + (v / most) * w, y = (v) => top + (1 - Math.min(v, most) / most) * h, foot = top + h;
  const svg = canvas(size, foot + strip + 36, `Reliability diagram of ${at("reliability-scope").selectedOptions[0].textContent}; its points stand in the table below`);
  for (const v of ticks(0, most, 5)) {
    svg.append(line(left, y(v), left + w, y(v), v ? "axis" : "base"), words(left - 6, y(v) + 4, plain(100 * v), { "text-anchor": "end" }));
    svg.append(words(x(v), foot + strip + 15, plain(100 * v), { "text-anchor": "middle" }));
  }
  svg.append(line(x(0), y(0), x(most), y(most), "ringline"), line(left, foot + strip, left + w, foot + strip, "base"));
  svg.append(words(left + w / 2, foot + strip + 31, "mean probability %", { "text-anchor": "middle" }), words(0, 0, "share of positives %", { "text-anchor": "middle", transform: `translate(${left - 30} ${top + h / 2}) rotate(-90)` }));
  shown.forEach((s, k) => svg.append(seriesLine(R.series[s], lists[k], x, y)));
  const counts = draw("g"), spot = draw("circle", { r: 8, class: "ring" });
  svg.append(counts, spot);
  const go = (series, point, event) => {
    looking = { series, point: clamp(point, 0, lists[series].length - 1) };
    const p = lists[series][looking.point], said = seriesName(R.series[shown[series]]);
    fill(spot, { cx: x(p.mean), cy: y(p.share) }, []);
    countBars(counts, lists[series], looking.point, x, { foot: foot + strip, high: strip - 16, right: left + w });
    at("reliability-under").textContent = `${said}: mean probability ${(100 * p.mean).toFixed(1)} %, positives ${(100 * p.share).toFixed(1)} % [${(100 * p.low).toFixed(1)}, ${(100 * p.high).toFixed(1)}], ${count(p.k)} of ${count(p.n)} cells`;
    if (event) tip(at("reliability-under").textContent, event.clientX, event.clientY);
  };
  walk(svg, lists, x, y, go);
  go(looking.series, looking.point);
  place.replaceChildren(svg);
}
function seriesLine([m, calibrated], points, x, y) {
  const own = draw("g", { class: calibrated ? `of-m${m}` : "of-raw", "data-series": `${m}${calibrated ? "" : "r"}` });
  for (const p of points) own.append(line(x(p.mean), y(p.low), x(p.mean), y(p.high), "spread"));
  own.append(draw("polyline", { points: points.map((p) => `${x(p.mean)},${y(p.share)}`).join(" "), class: "line" }));
  for (const p of points) own.append(marker(m, x(p.mean), y(p.share), 3.6, calibrated ? "mark" : "mark hollow"));
  return own;
}
// Cells in each bin of the series in focus, below its points.
function countBars(place, points, chosen, x, { foot, high, right }) {
  const top = Math.max(...points.map((p) => p.n));
  place.replaceChildren(...points.map((p, k) => draw("rect", { x: x(p.mean) - 2.5, y: foot - Math.max(1, (high * p.n) / top), width: 5, height: Math.max(1, (high * p.n) / top), class: k === chosen ? "positive" : "negative" })));
  place.append(words(right, foot - high - 4, `cells a bin, at most ${count(top)}`, { "text-anchor": "end" }));
}
function walk(svg, lists, x, y, go) {
  svg.onpointermove = svg.onpointerdown = (event) => {
    const [px, py] = inside(svg, event);
    let best = { far: Infinity };
    lists.forEach((list, series) => list.forEach((p, point) => {
      const far = (x(p.mean) - px) ** 2 + (y(p.share) - py) ** 2;
      if (far < best.far) best = { far, series, point };
    }));
    go(best.series, best.point, event);
  };
  svg.onpointerleave = () => tip(null);
  walkable(svg, (along, across) => {
    let series = looking.series;
    for (let k = 0; across && k < lists.length; k++) {
      series = (series + across + lists.length) % lists.length;
      if (lists[series].length) break;
    }
    go(series, looking.point + along);
  });
}
