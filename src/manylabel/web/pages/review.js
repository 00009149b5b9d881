// The review of an audit: one finding at a time, verdicts kept by the server as they are given.
import { arrive, ask, send } from "./api.js";
import { at, count, foldWhereNarrow, later, make, many, options, percent, say, typing } from "./dom.js";
import { show } from "./picture.js";

const KEYS = { a: "accept", r: "reject", n: "unknown", s: "skip" }, DONE = { accept: "accepted", reject: "rejected", unknown: "unknown", skip: "skipped", "": "no verdict" };
const SIFTS = ["search", "label", "category", "severity", "seen"], AHEAD = 50;
let list = [], matching = 0, here = 0, last = -1, more = true, ended = false, busy = Promise.resolve();
const given = []; // the findings judged on this page, the last at the end: others may review at the same time

async function start() {
  try {
    const about = await arrive("Review");
    if (!about.review) return fail("No findings are served: start the server with --findings findings.csv --data LABELS.");
    const choices = await ask("/review/choices");
    at("model").textContent = `${choices.findings} · ${choices.labels}`;
    at("saving").textContent = `Writes ${choices.out} with what was accepted and what became unknown, and beside it every change with its reason. ${choices.labels} stays as it is. Verdicts are already kept, whether or not this is pressed.`;
    for (const name of ["label", "category", "severity"]) {
      options(at(name), [["", "any"], ...Object.entries(choices[name]).map(([value, times]) => [value, `${value} (${count(times)})`])]);
    }
    tally(choices.counts);
  } catch (problem) {
    return fail(problem.message);
  }
  listen();
  await queue(sift);
  document.documentElement.classList.add("ready");
}

function fail(words) {
  at("failed").textContent = words;
  at("failed").hidden = !words;
}

function listen() {
  foldWhereNarrow();
  for (const id of SIFTS) at(id).addEventListener("input", later(() => queue(sift), id === "search" ? 200 : 0));
  at("controls").addEventListener("submit", (event) => event.preventDefault());
  for (const button of document.querySelectorAll("[data-verdict]")) button.onclick = () => queue(() => judge(button.dataset.verdict, true));
  at("back").onclick = () => queue(() => go(here - 1));
  at("on").onclick = () => queue(() => go(here + 1));
  at("undo").onclick = () => queue(undo);
  at("save").onclick = () => queue(save);
  addEventListener("keydown", (event) => {
    const verdict = KEYS[event.key.toLowerCase()];
    if (typing(event) || (event.repeat && verdict)) return;
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (verdict && list.length) queue(() => judge(verdict));
    else if (by) queue(() => go(here + by));
    else if (event.key.toLowerCase() === "u") queue(undo);
    else return;
    event.preventDefault();
  });
}

// Keys may come faster than the server answers: one after the other, none lost.
function queue(work) {
  busy = busy.then(work).then(() => fail(""), (problem) => { fail(problem.message); say(problem.message); });
  return busy;
}

async function sift() {
  at("finding").setAttribute("aria-busy", "true");
  [list, here, last, more, ended] = [[], 0, -1, true, false];
  sifted = Object.fromEntries(SIFTS.map((id) => [id, at(id).value.trim()]));
  try { await load(); } finally {
    draw();
    at("finding").removeAttribute("aria-busy");
  }
}

let sifted = {};
async function load() {
  if (!more) return;
  const found = await ask("/review/findings", { query: { ...sifted, after: last, count: AHEAD } });
  if (last < 0) matching = found.matching;
  last = found.findings.at(-1)?.number ?? last;
  more = found.findings.length === AHEAD;
  const there = new Set(list.map((finding) => finding.number)); // one that was taken back may be there already
  list.push(...found.findings.filter((finding) => !there.has(finding.number)));
}

async function go(place) {
  if (place >= list.length - 5) await load();
  ended = place >= list.length && list.length > 0;
  if (ended) say("That was the last one.");
  here = Math.min(Math.max(place, 0), Math.max(list.length - 1, 0));
  draw();
}

// A click on the verdict that is given takes it away; a key does not, since who types fast would lose the last one.
async function judge(verdict, clicked = false) {
  const finding = list[here];
  if (!finding) return;
  const wanted = clicked && finding.verdict === verdict && !ended ? "" : verdict;
  if (finding.verdict !== wanted) {
    const told = await send("/review/verdict", { number: finding.number, verdict: wanted });
    finding.verdict = wanted;
    given.push(finding.number);
    tally(told.counts);
  }
  say(`${finding.label}: ${DONE[wanted]}.`);
  if (wanted) await go(here + 1);
  else draw();
}

// What was done on this page first, then what was done before it was opened.
async function undo() {
  let told = null;
  while (!told) {
    const finding = given.pop();
    try {
      told = await ask("/review/undo", { method: "POST", query: { finding } });
    } catch (problem) {
      if (problem.status === 409 && finding !== undefined) continue; // somebody else took it back
      if (finding !== undefined) given.push(finding);
      throw problem;
    }
  }
  const place = list.findIndex((finding) => finding.number === told.number);
  if (place >= 0) [list[place].verdict, here] = [told.verdict, place];
  else {
    const taken = await ask(`/review/finding/${told.number}`);
    list.splice(here, 0, taken);
    matching++;
  }
  ended = false;
  tally(told.counts);
  draw();
  say(`Taken back: ${list[here].label} of ${list[here].image} is ${DONE[told.verdict]}.`);
}

async function save() {
  const { lines } = await ask("/review/save", { method: "POST" });
  at("written").replaceChildren(...lines.map((line) => make("li", {}, line)));
}

function tally(counts) {
  const total = Object.values(counts).reduce((a, b) => a + b, 0), seen = total - counts.open - counts.skip;
  at("progress").max = Math.max(total, 1);
  at("progress").value = seen;
  at("counts").textContent = `${count(seen)} of ${count(total)} decided: ${count(counts.accept)} accepted, ${count(counts.reject)} rejected, ${count(counts.unknown)} unknown${counts.skip ? `; ${count(counts.skip)} skipped` : ""}`;
}

function draw() {
  const finding = list[here];
  at("finding").hidden = !finding;
  at("nothing").hidden = Boolean(finding);
  at("nothing").textContent = at("progress").max > 1 || at("search").value ? "No finding of that kind." : "There are no findings.";
  at("place").textContent = finding ? `${count(here + 1)} of ${count(Math.max(matching, list.length))}${ended ? ": that was the last one" : ""}` : "";
  at("back").disabled = here === 0;
  at("on").disabled = here >= list.length - 1 && !more;
  if (!finding) return;
  picture(finding);
  words(finding);
  near(finding);
  if (list[here + 1]) show(new Image(), photo(list[here + 1].row)); // the next is there when it is wanted
}

const photo = (row, size = "large") => `/review/photo/${row}?size=${size}`;

function picture(finding) {
  if (at("photo").dataset.number === String(finding.number)) return;
  const image = make("img", { id: "photo", alt: finding.image, "data-number": finding.number });
  at("stage").classList.remove("broken");
  at("stage").replaceChildren(image);
  show(image, photo(finding.row));
  at("caption").textContent = finding.place;
}

function words(finding) {
  const { label, given, suggested } = finding, verb = { present: "there", absent: "not there" };
  at("kind").textContent = `${finding.rank} · ${finding.severity} · ${finding.category}`;
  at("question").replaceChildren(make("span", { class: "name" }, label), make("span", { class: "change" }, " is marked ", make("s", {}, given), ", likely ", make("b", {}, suggested)));
  at("reasons").replaceChildren(...finding.reasons.map((reason) => make("li", {}, reason)));
  at("sure").textContent = `The model's confidence in the label as given: ${percent(finding.confidence)}; in all labels of this image: ${percent(finding.image_quality)}.`;
  at("accept-said").textContent = `it is ${verb[suggested]}`;
  at("reject-said").textContent = `it is ${verb[given]}`;
  for (const button of document.querySelectorAll("[data-verdict]")) button.setAttribute("aria-pressed", String(button.dataset.verdict === finding.verdict));
  const chips = finding.present.map((name) => make("span", { class: name === label ? "chip doubted" : "chip" }, name));
  const others = finding.others.length ? make("span", { class: "quiet" }, ` ${many(finding.others.length, "other finding", "other findings")} on this image`) : null;
  at("present").replaceChildren(...(chips.length ? chips : [make("span", { class: "quiet" }, "none")]), ...(finding.unknown ? [make("span", { class: "quiet" }, ` and ${count(finding.unknown)} unknown`)] : []), ...(others ? [others] : []));
}

function near(finding) {
  at("neighbours-part").hidden = !finding.neighbours.length;
  at("neighbours").replaceChildren(...finding.neighbours.map((one) => {
    const image = make("img", { alt: one.image });
    const item = make("li", {}, make("div", { class: "stage" }, image), make("h4", {}, `${finding.label}: ${one.state}`), make("p", { class: "id" }, one.image));
    show(image, photo(one.row, "small"));
    return item;
  }));
}

start();
