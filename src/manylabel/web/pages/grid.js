// A grid of any number of tiles, of which only those in sight are in the page; entries come in pieces as they are seen.
import { clamp, make, soon } from "./dom.js";

const PIECE = 100, KEPT = 80, GAP = 14, WORDS = 62, NARROW = 158, ROOM = 8e6; // browsers cut off what is much taller

export class Grid {
  // fetch(start, count) -> entries; fill(tile, entry) draws one and returns what undoes it; open(place) on a click;
  // fail(problem) where entries in sight do not come.
  constructor(node, { fetch, fill, open, fail = () => {} }) {
    Object.assign(this, { node, fetch, fill, fail, total: 0, here: 0, tiles: new Map(), pieces: new Map(), turn: 0 });
    this.draw = soon(() => this.fit());
    addEventListener("scroll", this.draw, { passive: true });
    new ResizeObserver(() => this.measure()).observe(node);
    node.addEventListener("keydown", (event) => this.walk(event));
    node.addEventListener("focusin", (event) => { const place = Number(event.target.dataset?.place); if (Number.isInteger(place)) this.here = place; });
    node.addEventListener("click", (event) => { const tile = event.target.closest(".tile"); if (tile) open(Number(tile.dataset.place)); });
  }

  // Begin anew with so many entries, the first of which are here already.
  reset(total, first) {
    for (const place of [...this.tiles.keys()]) this.drop(place);
    this.turn++;
    this.pieces = new Map([[0, first]]);
    [this.total, this.here] = [total, 0];
    this.measure();
  }

  measure() {
    const width = this.node.clientWidth;
    this.columns = Math.max(2, Math.floor((width + GAP) / (NARROW + GAP)));
    this.side = (width - GAP * (this.columns - 1)) / this.columns;
    this.step = this.side * 0.78 + WORDS + GAP;
    this.whole = Math.ceil(this.total / this.columns) * this.step;
    this.height = Math.min(this.whole, ROOM);
    this.node.style.height = `${this.height}px`;
    this.fit();
  }

  // How far the grid is scrolled: in the page, and in the whole of which the page holds a shrunken copy.
  get top() {
    const seen = innerHeight, shown = clamp(-this.node.getBoundingClientRect().top, 0, Math.max(this.height - seen, 0));
    return this.height >= this.whole ? [shown, shown] : [shown, (shown / (this.height - seen)) * (this.whole - seen)];
  }

  fit() {
    const [shown, top] = this.top, first = Math.max(0, Math.floor(top / this.step) - 2) * this.columns;
    const last = Math.min(this.total, (Math.ceil((top + innerHeight) / this.step) + 2) * this.columns);
    for (const place of [...this.tiles.keys()]) if ((place < first || place >= last) && place !== this.here) this.drop(place);
    for (let place = first; place < last; place++) if (!this.tiles.has(place)) this.add(place);
    for (const [place, { item }] of this.tiles) {
      const x = (place % this.columns) * (this.side + GAP), y = Math.floor(place / this.columns) * this.step - top + shown;
      Object.assign(item.style, { transform: `translate(${x}px, ${y}px)`, width: `${this.side}px`, height: `${this.step - GAP}px` });
      item.firstChild.tabIndex = place === this.here ? 0 : -1;
    }
    this.want(first, last);
  }

  add(place) {
    const tile = make("button", { type: "button", class: "tile", "data-place": place });
    const item = make("div", { role: "listitem", class: "cell", "aria-setsize": this.total, "aria-posinset": place + 1 }, tile);
    const entry = this.pieces.get(Math.floor(place / PIECE))?.[place % PIECE]; // a promise while it comes
    this.tiles.set(place, { item, tile, undo: entry ? this.fill(tile, entry) : null });
    const after = this.tiles.get(place + 1)?.item; // the order of the page is that of the data, for Tab and for ears
    if (after) this.node.insertBefore(item, after);
    else this.node.append(item);
  }

  drop(place) {
    const { item, undo } = this.tiles.get(place);
    undo?.();
    item.remove();
    this.tiles.delete(place);
  }

  // Fetch what is in sight and not here, once the scrolling pauses.
  want(first, last) {
    clearTimeout(this.waiting);
    const missing = [];
    for (let k = Math.floor(first / PIECE); k * PIECE < last; k++) if (!this.pieces.has(k)) missing.push(k);
    if (missing.length) this.waiting = setTimeout(() => missing.forEach((k) => this.bring(k).catch(this.fail)), 70);
  }

  // The entries of a piece; who wants it while it comes waits for the same answer.
  bring(k) {
    const there = this.pieces.get(k);
    if (there) return Promise.resolve(there);
    const coming = this.fetched(k, this.turn);
    this.pieces.set(k, coming);
    return coming;
  }

  async fetched(k, turn) {
    let entries;
    try {
      entries = await this.fetch(k * PIECE, PIECE);
    } catch (problem) {
      if (turn === this.turn) this.pieces.delete(k); // asked for again when it is next in sight
      throw problem;
    }
    if (turn !== this.turn) return entries;
    this.pieces.set(k, entries);
    for (const [place, one] of this.tiles) if (Math.floor(place / PIECE) === k && entries[place % PIECE]) one.undo ??= this.fill(one.tile, entries[place % PIECE]);
    while (this.pieces.size > KEPT) this.pieces.delete(this.pieces.keys().next().value);
    return entries;
  }

  async entry(place) {
    return (await this.bring(Math.floor(place / PIECE)))[place % PIECE] ?? null;
  }

  walk(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(innerHeight / this.step) - 1) * this.columns;
    const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: this.columns, ArrowUp: -this.columns, PageDown: page, PageUp: -page, Home: -this.total, End: this.total }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    this.stand(this.here + by);
  }

  // Bring a tile into sight and give it the keyboard.
  stand(place) {
    if (!this.total) return;
    const before = this.here;
    this.here = clamp(place, 0, Math.max(this.total - 1, 0));
    const y = Math.floor(this.here / this.columns) * this.step, [, top] = this.top;
    if (y < top || y + this.step > top + innerHeight) {
      const wanted = clamp(y < top ? y - GAP : y + this.step - innerHeight + GAP, 0, Math.max(this.whole - innerHeight, 0));
      const place = this.height >= this.whole ? wanted : (wanted / (this.whole - innerHeight)) * (this.height - innerHeight);
      scrollBy({ top: Math.round(place + this.node.getBoundingClientRect().top) || Math.sign(this.here - before), behavior: "instant" });
    }
    if (!this.tiles.has(this.here)) this.add(this.here);
    this.fit();
    this.tiles.get(this.here)?.tile.focus({ preventScroll: true });
  }
}
