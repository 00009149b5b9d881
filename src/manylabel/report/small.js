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
