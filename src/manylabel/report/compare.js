// == models against the first: the difference of every class, what changed, what got worse
const LOST = 12;
let shownLost = LOST;
const other = () => D.compared[+at("other").value];
function prepareCompared() {
  if (!D.compared.length) return;
  options(at("other"), D.compared.map((_, k) => [k, `${LETTERS[k + 1]} ${D.models[k + 1].name}`]));
  at("compare-form").onchange = () => { shownLost = LOST; differences(); };
  at("compare-form").onsubmit = (event) => event.preventDefault();
  at("more-lost").onclick = () => { shownLost += LOST; lostCards(); };
}
function describeDifference(c) {
  const one = other(), [low, high] = one.interval.map((ends) => ends[c]);
  if (one.difference[c] == null) return `${D.names[c]}\nAP not defined`;
  const between = low == null ? "" : ` [${signed(low)}, ${signed(high)}]`;
  return `${D.names[c]}\nAP ${percent(one.ap[c] - one.difference[c])} → ${percent(one.ap[c])} %, ${signed(one.difference[c])}${between}\n${count(one.gained[c])} decisions got right, ${count(one.lost[c])} got wrong`;
}
function differences() {
  if (!D.compared.length) return;
  const one = other(), order = D.order.filter((c) => one.difference[c] != null).sort((a, b) => one.difference[b] - one.difference[a]);
  const gained = one.gained.reduce((a, b) => a + b, 0), lost = one.lost.reduce((a, b) => a + b, 0);
  at("compare-lead").textContent = `${count(gained)} decisions got right and ${count(lost)} got wrong, a churn of ${one.known ? ((100 * (gained + lost)) / one.known).toFixed(2) : "–"} % of known cells.`;
  if (order.length) differenceBars(order, one);
  else absent("differences", "No class has a positive among these images, so there is no difference in AP.");
  lazyTable(at("differences-table"), () => table("Every class, and its decisions that changed", ["class", "AP %", "difference", "interval", "got right", "got wrong", "McNemar p"], D.order.map((c) => {
    const [low, high] = one.interval.map((ends) => ends[c]);
    return [D.names[c], percent(one.ap[c]), signed(one.difference[c]), low == null ? "–" : `${signed(low)} – ${signed(high)}`, count(one.gained[c]), count(one.lost[c]), plain(one.p[c])];
  })));
  lostCards();
}
function differenceBars(order, one) {
  const place = at("differences"), left = 42, high = 190, top = 12, n = order.length, named = n <= 150;
  const ends = order.flatMap((c) => [one.difference[c], one.interval[0][c], one.interval[1][c]]).filter((v) => v != null);
  const most = Math.max(0.005, ...ends), least = Math.min(-0.005, ...ends);
  const pitch = clamp((place.clientWidth - left - 4) / n, named ? 11.5 : 2.5, 46), width = left + pitch * n + 4, under = named ? 114 : 8;
  const svg = canvas(Math.ceil(width), top + high + under, "Difference in average precision of every class"), y = (v) => top + ((most - v) / (most - least)) * high;
  for (const v of ticks(least, most, 5)) svg.append(line(left, y(v), width - 4, y(v), Math.abs(v) < 1e-9 ? "base" : "axis"), words(left - 6, y(v) + 4, plain(Number((100 * v).toFixed(4))), { "text-anchor": "end" }));
  order.forEach((c, k) => svg.append(differenceColumn(c, one, { x: left + k * pitch, pitch, y, top, high, under, named })));
  columnsOf(svg, describeDifference);
  place.replaceChildren(svg);
}
function differenceColumn(c, one, { x, pitch, y, top, high, under, named }) {
  const d = one.difference[c], [low, up] = one.interval.map((ends) => ends[c]), gap = pitch > 5 ? 1 : 0, middle = x + pitch / 2;
  const column = draw("g", { class: `column of-m${+at("other").value + 1}`, "data-i": c });
  column.append(draw("rect", { x, y: top, width: pitch, height: high + under - 4, class: "hit" }));
  column.append(draw("rect", { x: x + gap, y: Math.min(y(0), y(d)), width: pitch - 2 * gap, height: Math.max(1, Math.abs(y(d) - y(0))), class: d < 0 ? "worse" : "gain" }));
  if (low != null && pitch >= 4) column.append(line(middle, y(low), middle, y(up), "reach"));
  if (named) column.append(words(0, 0, fit(D.names[c], under - 8), { "text-anchor": "end", transform: `translate(${middle + 4} ${top + high + 6}) rotate(-90)` }));
  return column;
}
function lostCards() {
  const one = other(), letter = LETTERS[+at("other").value + 1], list = one.regressions;
  const said = (present) => (present ? ["decides it", "misses it"] : ["leaves it out", "decides it"]);
  at("lost").replaceChildren(...list.slice(0, shownLost).map(([id, c, present, before, after]) => make("li", {}, pictureOf(id),
    make("h4", { class: "name" }, D.names[c]), make("p", {}, present ? "labelled present" : "labelled absent"),
    make("p", {}, `A ${said(present)[0]} at ${chance(before)}`), make("p", {}, `${letter} ${said(present)[1]} at ${chance(after)}`), make("p", { class: "id" }, id))));
  if (!list.length) at("lost").append(make("li", { class: "absent" }, "No decision of the first model got wrong."));
  at("lost-count").textContent = `${Math.min(shownLost, list.length)} of ${count(one.total)} shown.`;
  at("more-lost").hidden = list.length <= shownLost;
}
