// == class table
function prepareTable() {
  const body = at("table").tBodies[0], rows = [...body.rows], heads = [...at("table").tHead.rows[0].cells];
  const value = (row, k) => { const shown = (row.cells[k].dataset.v ?? row.cells[k].textContent).replace("−", "-"); return shown === "–" ? null : k < 2 ? shown.toLowerCase() : Number(shown); };
  const groups = ["head", "medium", "tail"];
  heads.forEach((head, k) => {
    const button = make("button", { type: "button" }, ...head.childNodes);
    head.replaceChildren(button);
    button.onclick = () => {
      const up = head.ariaSort ? head.ariaSort === "descending" : k < 2;
      for (const one of heads) one.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      const keyed = rows.map((row, place) => [k === 1 ? groups.indexOf(value(row, 1)) : value(row, k), place, row]);
      keyed.sort(([a, i], [b, j]) => (a == null) - (b == null) || (a < b ? -1 : a > b ? 1 : 0) * (up ? 1 : -1) || i - j);
      body.append(...keyed.map(([, , row]) => row));
    };
  });
  at("table").tHead.classList.add("live");
  const sift = () => {
    const part = at("filter").value.trim().toLowerCase(), group = at("group")?.value;
    let shown = 0;
    for (const row of rows) {
      row.hidden = !(D.names[row.dataset.i].toLowerCase().includes(part) && (!group || D.group[row.dataset.i] === group));
      shown += !row.hidden;
    }
    at("shown").textContent = `${count(shown)} of ${count(rows.length)} classes`;
  };
  at("filters").oninput = sift;
  at("filters").onsubmit = (event) => event.preventDefault();
  body.onclick = (event) => { const row = event.target.closest("tr"); if (row) show(+row.dataset.i, true); };
  sift();
}

// == gallery
const OUTCOMES = ["hit", "extra", "missed", "unjudged"], PAGE = 24, PAPER = 15;
let page = PAGE;
const chance = (p) => (p < 1 ? "below 0.1" : p > 999 ? "above 99.9" : (p / 10).toFixed(1)) + " %";
function pictureOf(id) {
  const src = Object.hasOwn(D.pictures, id) ? D.pictures[id] : null;
  return src ? make("img", { src, alt: `Image ${id}`, loading: "lazy", decoding: "async" }) : make("div", { class: "nopicture" }, "no picture");
}
function card([k, c, p], kind) {
  const image = D.gallery.images[k], chips = image.labels.map(([j, outcome, q]) =>
    make("span", { class: `chip ${OUTCOMES[outcome]}${j === c ? " this" : ""}`, title: `${D.names[j]}: probability ${chance(q)}` }, D.names[j]));
  if (image.more) chips.push(make("span", { class: "chip" }, `and ${image.more} more`));
  const said = `${kind === "extra" ? "decided" : "missed"} at ${chance(p)}`;
  return make("li", {}, pictureOf(image.id), make("h3", { class: "name" }, D.names[c]), make("p", {}, said), make("p", { class: "id" }, image.id + (image.unknown ? ` · ${image.unknown} label${image.unknown > 1 ? "s" : ""} unknown` : "")), make("p", { class: "chips" }, ...chips));
}
const KINDS = { extra: "false positives", missed: "false negatives" };
function errorsOf(kind) {
  const only = at("error-class").value;
  return D.gallery[kind].filter(([, c]) => only === "" || c === +only);
}
function cards() {
  const kind = at("which").elements.kind.value, list = errorsOf(kind);
  at("cards").replaceChildren(...list.slice(0, page).map((error) => card(error, kind)));
  if (!list.length) at("cards").append(make("li", { class: "absent" }, `No ${KINDS[kind]} to show.`));
  at("error-count").textContent = `${Math.min(page, list.length)} of ${list.length} kept`;
  at("more").hidden = list.length <= page;
}
// Paper cannot be asked for the other kind, so it has the worst of both.
function paperCards() {
  at("cards").replaceChildren(...Object.entries(KINDS).flatMap(([kind, words]) => {
    const shown = errorsOf(kind).slice(0, PAPER), only = at("error-class").value;
    const of = only === "" ? `of ${count(D.gallery.totals[kind === "extra" ? 0 : 1])} ${words}` : `${words} of ${D.names[only]}`;
    return [make("li", { class: "kind" }, `The worst ${count(shown.length)} ${of}`), ...shown.map((error) => card(error, kind))];
  }));
}
function prepareGallery() {
  const having = new Set([...D.gallery.extra, ...D.gallery.missed].map(([, c]) => c));
  at("error-class").append(make("option", { value: "" }, "all classes"), ...D.order.filter((c) => having.has(c)).map((c) => make("option", { value: c }, D.names[c])));
  at("which").onchange = () => { page = PAGE; cards(); };
  at("more").onclick = () => { page += PAGE; cards(); };
  cards();
}
