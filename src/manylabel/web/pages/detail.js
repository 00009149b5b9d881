// One image of the label file with all that the file says of it.
import { ask } from "./api.js";
import { at, count, make, say } from "./dom.js";
import { show } from "./picture.js";

const SHOWN = 60;

export class Detail {
  // grid: whose entries are walked through; only(label) narrows the grid to a label.
  constructor(grid, only) {
    Object.assign(this, { grid, only, place: 0, turn: 0, dialog: at("detail") });
    at("earlier").onclick = () => this.go(this.place - 1);
    at("following").onclick = () => this.go(this.place + 1);
    at("shut").onclick = () => this.dialog.close();
    this.dialog.addEventListener("click", (event) => { if (event.target === this.dialog) this.dialog.close(); });
    this.dialog.addEventListener("close", () => grid.stand(this.place));
    this.dialog.addEventListener("keydown", (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (by) { event.preventDefault(); this.go(this.place + by); }
    });
  }

  open(place) {
    if (!this.dialog.open) this.dialog.showModal();
    return this.go(place);
  }

  async go(place) {
    if (place < 0 || place >= this.grid.total) return;
    this.place = place;
    const turn = ++this.turn;
    at("earlier").disabled = place === 0;
    at("following").disabled = place === this.grid.total - 1;
    try {
      const entry = await this.grid.entry(place);
      if (turn !== this.turn || !entry) return;
      const whole = await ask(`/browse/row/${entry.row}`);
      if (turn !== this.turn) return;
      this.draw(whole);
      say(`${whole.image}, ${place + 1} of ${this.grid.total}: ${whole.present.names.slice(0, 6).join(", ") || "no label"}.`);
    } catch (problem) {
      if (turn !== this.turn) return;
      at("detail-name").textContent = `${place + 1} of ${this.grid.total}`;
      at("detail-body").replaceChildren(make("p", { class: "warn", role: "alert" }, problem.message));
    }
  }

  draw(whole) {
    at("detail-name").textContent = whole.image;
    const image = make("img", { alt: whole.image });
    const facts = Object.entries({ stands: whole.place, part: whole.part || "none", ...whole.columns });
    at("detail-body").replaceChildren(
      make("div", { class: "stage" }, image),
      make("div", { class: "said" },
        ...whole.suspects.map((one) => this.suspect(one)),
        this.list("Present", whole.present, new Set(whole.suspects.map((one) => one.label))),
        this.list("Unknown", whole.unknown), this.list("Absent", whole.absent, new Set(whole.suspects.map((one) => one.label)), true),
        make("dl", { class: "about" }, ...facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]))));
    show(image, `/browse/photo/${whole.row}?size=large`);
  }

  suspect(one) {
    const verdict = one.verdict ? ` (${one.verdict})` : "";
    return make("p", { class: "suspect" }, make("b", { class: "name" }, one.label), ` is marked ${one.given}, likely ${one.suggested}${verdict}: ${one.reasons.join("; ")}`);
  }

  list(title, { count: number, names }, doubted = new Set(), folded = false) {
    const chips = names.map((name) => make("button", { type: "button", class: doubted.has(name) ? "chip doubted" : "chip", title: `Show only images with ${name}`, onclick: () => { this.dialog.close(); this.only(name); } }, name));
    const rest = chips.splice(SHOWN), box = make("p", { class: "chips" }, ...(number ? chips : [make("span", { class: "quiet" }, "none")]));
    if (rest.length) box.append(make("button", { type: "button", class: "chip", onclick: (event) => event.target.replaceWith(...rest) }, `${count(number - SHOWN)} more`));
    if (number > names.length) rest.push(make("span", { class: "quiet" }, ` and ${count(number - names.length)} more`));
    const head = `${title} (${count(number)})`;
    return folded ? make("details", {}, make("summary", {}, head), box) : make("div", {}, make("h3", {}, head), box);
  }
}
