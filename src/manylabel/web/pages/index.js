// The page of photographs: what comes in, how it is shown, what goes out.
import { arrive, ask } from "./api.js";
import { Card } from "./cards.js";
import { named } from "./decide.js";
import { at, bytes, count, foldWhereNarrow, many, options, percent, say, soon } from "./dom.js";
import { thumbnail, welcome } from "./files.js";
import { saveCsv, saveJson } from "./save.js";
import { predict } from "./sending.js";

const view = { guarantee: null, shift: 0, least: 0, search: "", sort: "probable" };
const photos = [];
let about = null, labels = new Map(), numbers = 0;

async function start() {
  try {
    about = await arrive("Photographs");
    labels = new Map((await ask("/labels")).map((label) => [label.name, label]));
  } catch (problem) {
    return fail(problem.message);
  }
  at("model").textContent = `${about.model} · ${many(about.classes, "class", "classes")}`;
  at("limits").textContent = `They are sent to this server and nowhere else; up to ${bytes(about.limits.image_bytes)} each.`;
  if (!about.verdicts) at("unkept").textContent = "Thumbs are not kept: start the server with --review FILE to keep them.";
  promises();
  foldWhereNarrow();
  listen();
  welcome(at("drop"), [at("files"), at("camera")], take);
  document.documentElement.classList.add("ready");
}

function fail(words) {
  at("failed").textContent = words;
  at("failed").hidden = !words;
}

// The recalls that can be guaranteed, in steps that make a difference.
function promises() {
  const offered = about.guarantee.filter(({ recall }) => Math.round(100 * recall) % 5 === 0 || recall > 0.95);
  at("guarantee-field").hidden = !offered.length;
  options(at("guarantee"), [["", "as tuned"], ...offered.reverse().map(({ recall }) => [recall, `finds ${Math.round(100 * recall)} %, guaranteed`])]);
}

function listen() {
  for (const id of ["search", "sort", "guarantee", "shift", "least"]) at(id).addEventListener("input", () => { read(); draw(); });
  at("heat").addEventListener("input", read);
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  at("json").onclick = () => saveJson(photos, view, labels, about.model);
  at("csv").onclick = () => saveCsv(photos, view, labels);
  at("clear").onclick = () => { [...photos].forEach(remove); at("files").focus(); say("All photographs removed."); };
  at("strip").addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link) { event.preventDefault(); document.querySelector(link.hash).scrollIntoView({ block: "start" }); document.querySelector(link.hash).focus({ preventScroll: true }); }
  });
  read();
}

function read() {
  const recall = at("guarantee").value;
  view.guarantee = about.guarantee.find((one) => String(one.recall) === recall) || null;
  view.shift = view.guarantee ? 0 : Number(at("shift").value);
  view.least = Number(at("least").value) / 100;
  view.search = at("search").value;
  view.sort = at("sort").value;
  at("shift").disabled = Boolean(view.guarantee);
  const half = percent(1 / (1 + Math.exp(-view.shift)));
  at("shift-said").textContent = view.shift === 0 ? "" : `50 % → ${half}`;
  at("shift").setAttribute("aria-valuetext", view.shift === 0 ? "thresholds as they are" : `a threshold of 50 % becomes ${half}`);
  at("least-said").textContent = view.least ? percent(view.least) : "";
  at("heat-said").textContent = `${at("heat").value} %`;
  document.documentElement.style.setProperty("--heat-share", at("heat").value / 100);
}

async function take(files, problem = "There is no photograph in what was dropped.") {
  fail(files.length ? "" : problem);
  if (!files.length) return;
  const fresh = files.map((file) => ({ file, number: numbers++, asked: new Map(), error: null }));
  for (const photo of fresh) {
    photo.card = new Card(photo, { about, labels, remove, again: (one) => { one.error = null; one.card.told.textContent = "Waiting …"; draw(); predict([one], about.limits, told); } });
    photos.push(photo);
    at("photographs").append(photo.card.node);
    at("strip").append(photo.card.tab);
  }
  say(`Reading ${many(fresh.length, "photograph", "photographs")}.`);
  furnish();
  predict(fresh, about.limits, told);
  for (const photo of fresh) { // one after the other: a phone has little memory
    if (photo.gone) continue;
    photo.small = await thumbnail(photo.file);
    if (!photo.gone) photo.card.show(photo.small);
    else if (photo.small) URL.revokeObjectURL(photo.small.url);
  }
}

function told(photo) {
  if (photo.gone) return;
  photo.card.fit({ ...view });
  furnish();
  if (photo.error) return say(`${photo.file.name}: ${photo.error}`);
  const names = [...photo.decided];
  say(`${photo.file.name}: ${names.length ? names.slice(0, 5).join(", ") : "no label"}${names.length > 5 ? ` and ${names.length - 5} more` : ""}.`);
}

function remove(photo) {
  photo.gone = true;
  const place = photos.indexOf(photo);
  photos.splice(place, 1);
  photo.card.node.remove();
  photo.card.tab.remove();
  if (photo.small) URL.revokeObjectURL(photo.small.url);
  furnish();
  (photos[Math.min(place, photos.length - 1)]?.card.node || at("files")).focus();
}

const draw = soon(() => {
  const now = { ...view };
  photos.forEach((photo) => photo.card.fit(now));
  furnish();
});

// What stands around the cards.
function furnish() {
  const read = photos.filter((photo) => photo.probabilities), wrong = photos.filter((photo) => photo.error).length;
  document.body.classList.toggle("some", photos.length > 0);
  for (const id of ["settings", "controls", "bar"]) at(id).hidden = !photos.length;
  at("strip").hidden = photos.length < 2;
  at("unkept").hidden = !photos.length || !at("unkept").textContent;
  const total = read.reduce((sum, photo) => sum + named(photo, view, labels).length, 0), waiting = photos.length - read.length - wrong;
  const words = [many(photos.length, "photograph", "photographs"), many(total, "label", "labels"), ...(waiting ? [`${count(waiting)} waiting`] : []), ...(wrong ? [`${count(wrong)} not read`] : [])];
  at("summary").textContent = words.join(" · ");
}

start();
