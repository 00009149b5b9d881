// A card for each photograph: the picture with its heat map, and its labels.
import { listed, named, unsure } from "./decide.js";
import { make, many, say } from "./dom.js";
import { unwant, want } from "./heat.js";
import { fitRow, makeRow } from "./rows.js";
import { askGuarantee } from "./sending.js";

const UNSHOWN = "This browser shows no such file; the server may read it all the same.", UNSEEN = "No picture";
const BLOCK = 150; // rows that "show all" adds at a time

export class Card {
  constructor(photo, { about, labels, remove, again }) {
    Object.assign(this, { photo, about, labels, rows: new Map(), more: 0, pinned: null, here: null });
    const title = photo.file.name || "photograph", id = `photo-${photo.number}`;
    this.picture = make("div", { class: "frame" }, make("span", { class: "wait" }, "Reading …"));
    this.caption = make("figcaption", {}, "");
    this.told = make("p", { class: "told" }, "Waiting …");
    this.list = make("ul", { class: "labels", "aria-label": `Labels of ${title}` });
    this.button = make("button", { type: "button", class: "more", hidden: true, onclick: () => this.unfold() });
    this.problem = make("p", { class: "warn", role: "alert", hidden: true });
    this.retry = make("button", { type: "button", hidden: true, onclick: () => again(photo) }, "Try again");
    this.node = make("article", { class: "card", id, tabindex: -1, "aria-labelledby": `${id}-name`, "aria-busy": "true" },
      make("figure", {}, this.picture, this.caption),
      make("div", { class: "side" },
        make("div", { class: "card-top" }, make("h2", { id: `${id}-name`, class: "name" }, title),
          make("button", { type: "button", class: "close", "aria-label": `Remove ${title}`, title: "Remove", onclick: () => remove(photo) }, "×")),
        this.told, this.problem, this.retry, this.list, this.button));
    this.link = make("a", { href: `#${id}`, title });
    this.tab = make("li", {}, this.link);
    this.listen();
  }

  listen() {
    const rowOf = (event) => this.rows.get(event.target.closest?.(".label")?.dataset.name);
    this.list.addEventListener("pointerover", (event) => { if (event.pointerType === "mouse") this.look(rowOf(event)); });
    this.list.addEventListener("pointerleave", () => this.look(this.pinned));
    this.list.addEventListener("focusin", (event) => { const row = rowOf(event); this.stand(row); this.look(row); });
    this.list.addEventListener("focusout", (event) => { if (!this.list.contains(event.relatedTarget)) this.look(this.pinned); });
    this.list.addEventListener("keydown", (event) => this.walk(event));
    this.list.addEventListener("click", (event) => { if (event.target.closest(".label-name")) this.pin(rowOf(event)); });
  }

  // The picture, once the browser has made it small; null where it cannot read the file.
  show(small) {
    const alt = this.photo.file.name;
    const image = (kind) => make("img", { src: small.url, alt: kind, width: small.width, height: small.height });
    if (small) this.picture.style.setProperty("--aspect", small.width / small.height);
    this.picture.replaceChildren(small ? image(alt) : make("span", { class: "wait" }, this.photo.error ? UNSEEN : UNSHOWN));
    this.link.replaceChildren(small ? image(alt) : make("span", { class: "nothing" }, alt));
    this.heat = make("img", { class: "heat", alt: "", hidden: true });
    this.picture.append(this.heat);
  }

  // List what is to be listed, as things are set now.
  fit(view) {
    const { photo } = this;
    this.view = view;
    if (photo.error || photo.probabilities) this.node.removeAttribute("aria-busy");
    else this.node.setAttribute("aria-busy", "true");
    this.problem.hidden = !photo.error;
    this.problem.textContent = photo.error || "";
    this.retry.hidden = !(photo.error && photo.again);
    this.tab.classList.toggle("broken", Boolean(photo.error));
    if (photo.error) {
      this.told.textContent = "Not read";
      const blank = this.picture.querySelector(".wait");
      if (blank?.textContent === UNSHOWN) blank.textContent = UNSEEN;
    }
    if (photo.error || !photo.probabilities) return;
    if (unsure(photo, view)) return void this.askFirst(view);
    const found = listed(photo, view, this.labels), present = found.filter((one) => one.decided);
    const shown = view.search.trim() ? found.slice(0, BLOCK) : found.slice(0, present.length + this.more);
    this.list.replaceChildren(...shown.map((one) => this.row(one).node));
    this.list.classList.toggle("none", !shown.length);
    const left = found.length - shown.length;
    this.button.hidden = !left && !this.more;
    this.button.textContent = left ? `Show ${left > BLOCK ? `${BLOCK} more of ${left}` : `all (${left} more)`}` : "Show only what is decided";
    const total = named(photo, view, this.labels).length; // whatever is searched for
    this.told.textContent = total ? many(total, "label", "labels") : view.least ? "No label is so probable" : "No label reaches its threshold";
    if (view.search.trim() && !found.length) this.told.textContent += "; none of that name";
    if (!this.here || !shown.some((one) => one.name === this.here.name)) this.stand(shown.length ? this.rows.get(shown[0].name) : null);
  }

  async askFirst(view) {
    const { recall } = view.guarantee;
    this.node.setAttribute("aria-busy", "true");
    try { await askGuarantee(this.photo, recall); } catch (problem) { this.complain(problem.message); this.photo.asked.set(recall, this.photo.decided); }
    if (this.view === view) this.fit(view);
  }

  row(one) {
    if (!this.rows.has(one.name)) this.rows.set(one.name, this.still(makeRow(this.photo, one.name, this.about)));
    const row = this.rows.get(one.name);
    fitRow(row, one);
    return row;
  }

  // One row at a time is reached by Tab; arrows walk to the others.
  still(row) {
    for (const button of row.node.querySelectorAll("button")) button.tabIndex = -1;
    return row;
  }

  stand(row) {
    if (this.here) this.still(this.here);
    this.here = row || null;
    if (row) for (const button of row.node.querySelectorAll("button")) button.tabIndex = 0;
  }

  walk(event) {
    const rows = [...this.list.children], at = rows.indexOf(event.target.closest(".label"));
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const kind = event.target.className, row = this.rows.get(rows[Math.min(Math.max(to, 0), rows.length - 1)].dataset.name);
    this.stand(row);
    [...row.node.querySelectorAll("button")].find((button) => button.className === kind)?.focus();
  }

  unfold() {
    const left = !this.button.textContent.startsWith("Show only");
    this.more = left ? this.more + BLOCK : 0;
    this.fit(this.view);
  }

  // A click keeps a heat map while the pointer goes elsewhere; another lets it go.
  pin(row) {
    this.pinned?.button.setAttribute("aria-pressed", "false");
    this.pinned = this.pinned === row ? null : row;
    this.pinned?.button.setAttribute("aria-pressed", "true");
    this.look(row);
  }

  look(row) {
    if (!this.heat) return;
    for (const other of this.rows.values()) other.node.classList.toggle("looked", other === row);
    if (!row) { unwant(); this.heat.hidden = true; this.caption.textContent = ""; return; }
    want(this.photo, row.name, (state, found) => this.lay(row, state, found));
  }

  lay(row, state, found) {
    const words = { waiting: `Looking for ${row.name} …`, there: `Where the model sees ${row.name}`, failed: `No heat map: ${found}` };
    this.caption.textContent = words[state];
    this.heat.hidden = state !== "there";
    if (state === "there") this.heat.src = found;
  }

  complain(words) {
    this.problem.hidden = false;
    this.problem.textContent = words;
    say(words);
  }
}
