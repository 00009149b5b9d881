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
  svg.onpointermove = svg.onpointerdown = (event) => {
    const [px, py] = inside(svg, event), i = Math.floor((py - top) / h), j = Math.floor((px - left) / w), on = i >= 0 && j >= 0 && i < rows && j < columns;
    if (on) go(i, j);
    tip(on ? describe(i, j) : null, event.clientX, event.clientY);
  };
  svg.onpointerleave = () => tip(null);
  svg.onfocus = () => go(...spot);
  walkable(svg, (across, down) => go(spot[0] + down, spot[1] + across));
  place.replaceChildren(svg);
  return svg;
}
// A square table of classes by classes with names at its edges; `wanted` sorts it.
function square(id, wanted, { value, describe, label }) {
  const { classes, grouped } = D.matrix, place = at(id), n = classes.length, order = wanted === "grouped" ? grouped : classes.map((_, k) => k);
  const roomy = place.clientWidth > 520, left = roomy ? 92 : 0, size = clamp((place.clientWidth - left - 4) / n, 5, 26), top = roomy && size >= 8 ? 86 : 0;
  const name = (k) => D.names[classes[order[k]]];
  const svg = heat(place, {
    rows: n, columns: n, cell: [size, size], left, top, label, under: at(`${id}-under`),
    value: (i, j) => (i === j ? -1 : value(order[i], order[j])), describe: (i, j) => describe(order[i], order[j], name(i), name(j)),
  });
  const letter = { "font-size": Math.min(11, size) };  // a row is no lower than its name
  for (let k = 0; k < n && left && size >= 8; k++) {
    svg.append(words(left - 5, top + (k + 0.5) * size + 3.5, fit(name(k), left - 6, letter["font-size"]), { ...letter, "text-anchor": "end" }));
    svg.append(words(0, 0, fit(name(k), top - 6, letter["font-size"]), { ...letter, transform: `translate(${left + (k + 0.5) * size + 3.5} ${top - 5}) rotate(-90)` }));
  }
}
function matrix() {
  const [both, base] = D.matrix.tables[at("matrix-table").value];
  square("matrix", at("matrix-order").value, {
    label: "Co-occurrence: probability of the column's class given the row's",
    value: (i, j) => (base[i][j] ? both[i][j] / base[i][j] : null),
    describe: (i, j, row, column) => (i === j ? `${row}: ${count(both[i][i])} images` : `P(${column} | ${row}) = ${base[i][j] ? percent(both[i][j] / base[i][j]) + " %" : "not defined"} (${count(both[i][j])} of ${count(base[i][j])} images)`),
  });
}
function confusions() {
  const { wrong, base } = D.confused;
  square("confusion", at("confusion-order").value, {
    label: "Confused with: how often the column's class was decided wrongly where the row's was missed",
    value: (i, j) => (base[i][j] ? wrong[i][j] / base[i][j] : null),
    describe: (i, j, row, column) => {
      if (i === j) return `${row}: missed in ${count(base[i][i])} images`;
      if (!base[i][j]) return `${row} was missed in no image in which ${column} is known`;
      return `${row} missed: ${column} decided wrongly in ${percent(wrong[i][j] / base[i][j])} % (${count(wrong[i][j])} of ${count(base[i][j])} images in which ${column} is known)`;
    },
  });
}
function prepareMatrix() {
  const n = D.matrix.classes.length, some = n < C ? ` The ${n} most frequent of ${count(C)} classes.` : "";
  at("matrix-lead").textContent = `Row: the class that is present. Column: how often the other one is too, P(column | row), over images where the other is known.${some}`;
  at("matrix-table").append(...Object.keys(D.matrix.tables).map((what) => make("option", {}, what)));
  at("matrix-form").onchange = matrix;
  at("confusion-form").onchange = confusions;
  at("matrix-form").onsubmit = at("confusion-form").onsubmit = (event) => event.preventDefault();
  if (some) at("confusion-some").textContent = some;
  if (n > 1) return;
  at("matrix-form").hidden = at("confusion-form").hidden = true;
  absent("matrix", "There is only one class, so nothing can come together.");
  absent("confusion", "There is only one class, so nothing can be confused.");
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
  lazyTable(at("unknown-table"), () => table("Share of unknown cells", ["class", ...parts.map((p) => p + " %")], D.order.map((c) => [D.names[c], ...parts.map((p) => percent(D.unknown[p][c]))])));
}
