// == average precision by frequency
function describe(c) {
  const seen = D.train ? `${count(D.train[c])} training, ` : "";
  const ap = D.ap[c] == null ? "AP not defined" : `AP ${percent(D.ap[c])} %`;
  return `${D.names[c]}\n${seen}${count(D.test[c])} ${D.part} positives\n${ap}\nthreshold ${D.cutsGiven ? plain(D.cuts[c]) : "not given"}, F1 ${percent(D.f1[c])} %`;
}
function bars() {
  const place = at("bars"), left = 42, top = 26, high = 210, low = D.train ? 56 : 0, named = C <= 150;
  const pitch = clamp((place.clientWidth - left - 4) / C, named ? 11.5 : 2.5, 46), width = left + pitch * C + 4;
  const under = named ? 114 : 10, svg = canvas(Math.ceil(width), top + high + low + under, "Average precision of every class");
  const most = Math.max(1, ...(D.train || [1]));
  for (const tick of [0, 25, 50, 75, 100]) {
    const y = top + high * (1 - tick / 100);
    svg.append(line(left, y, width - 4, y, tick ? "axis" : "base"), words(left - 6, y + 4, tick, { "text-anchor": "end" }));
  }
  if (D.train) svg.append(words(left - 6, top + high + low, count(most), { "text-anchor": "end" }));
  bands(svg, { left, top, high, low, pitch });
  D.order.forEach((c, k) => {
    const x = left + k * pitch, gap = pitch > 5 ? 1 : 0, ap = D.ap[c];
    const column = draw("g", { class: "column", "data-i": c });
    column.append(draw("rect", { x, y: top, width: pitch, height: high + low + under - 8, class: "hit" }));
    if (ap == null) column.append(words(x + pitch / 2, top + high - 3, named ? "×" : "", { "text-anchor": "middle" }));
    else column.append(draw("rect", { x: x + gap, y: top + high * (1 - ap), width: pitch - 2 * gap, height: Math.max(high * ap, 1), class: groupOf(c) }));
    if (D.train) column.append(draw("rect", { x: x + gap, y: top + high + 1, width: pitch - 2 * gap, height: (low - 4) * Math.log1p(D.train[c]) / Math.log1p(most), class: groupOf(c) + " train" }));
    if (named) column.append(words(0, 0, fit(D.names[c], under - 8), { "text-anchor": "end", transform: `translate(${x + pitch / 2 + 4} ${top + high + low + 6}) rotate(-90)` }));
    svg.append(column);
  });
  columnsOf(svg, describe);
  place.replaceChildren(svg);
}
function bands(svg, { left, top, high, low, pitch }) {
  for (const group of ["head", "medium", "tail"]) {
    const members = D.order.flatMap((c, k) => (D.group[c] === group ? [k] : []));
    if (!members.length) continue;
    const x = left + members[0] * pitch, width = (members.at(-1) - members[0] + 1) * pitch, mean = D.groupAp[group];
    svg.append(draw("rect", { x, y: top - 20, width, height: high + low + 20, class: `${group} band` }));
    const label = [group, ` · ${members.length} class${members.length > 1 ? "es" : ""}`, mean == null ? "" : ` · mAP ${percent(mean)}`];
    while (label.length && label.join("").length * 6.4 > width) label.pop();
    svg.append(words(x + 5, top - 7, label.join(""), { class: "strong" }));
    if (mean != null) svg.append(draw("rect", { x, y: top + high * (1 - mean) - 0.75, width, height: 1.5, class: `${group} mean` }));
  }
}
