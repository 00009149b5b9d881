// The browser of a label file: what is asked for, the grid, doctor's findings.
import { arrive, ask } from "./api.js";
import { Detail } from "./detail.js";
import { at, count, foldWhereNarrow, later, make, many, options } from "./dom.js";
import { Grid } from "./grid.js";
import { show } from "./picture.js";

const FIELDS = ["search", "label", "state", "unknown", "part", "finding", "suspected"], PIECE = 100;
let facts = null, grid = null, findings = [], classes = new Set();

async function start() {
  try {
    const about = await arrive("Browse");
    if (!about.browse) return fail("No labels are served: start the server with --data LABELS.");
    facts = await ask("/browse/facts");
  } catch (problem) {
    return fail(problem.message);
  }
  furnish();
  grid = new Grid(at("grid"), { fetch: (start, many) => rows(start, many).then((found) => found.rows), fill, open: (place) => detail.open(place), fail: (problem) => fail(problem.message) });
  const detail = new Detail(grid, async (label) => { at("label").value = label; at("state").value = "present"; await sift(); grid.stand(0); });
  await sift();
  document.documentElement.classList.add("ready");
  consult();
}

function fail(words) {
  at("failed").textContent = words;
  at("failed").hidden = !words;
}

function furnish() {
  foldWhereNarrow();
  classes = new Set(facts.classes.map((one) => one.name));
  at("title").textContent = facts.source;
  at("model").textContent = `${many(facts.images, "image", "images")} · ${many(facts.classes.length, "class", "classes")} · ${facts.kind}`;
  const parts = Object.entries(facts.parts);
  at("part-field").hidden = parts.length < 2;
  options(at("part"), [["", "all"], ...parts.map(([part, times]) => [part, `${part === "none" ? "no part" : part} (${count(times)})`])]);
  at("suspected-field").hidden = !facts.suspected;
  at("suspected-said").textContent = `suspected errors only (${many(facts.suspected || 0, "image", "images")})`;
  suggest();
  for (const id of FIELDS) at(id).addEventListener("input", later(sift, ["search", "label"].includes(id) ? 220 : 0));
  at("label").addEventListener("input", suggest);
  at("controls").addEventListener("submit", (event) => event.preventDefault());
}

// Names that hold what is typed, the most frequent first; of thousands only some are offered.
function suggest() {
  const words = at("label").value.trim().toLowerCase();
  const found = facts.classes.filter((one) => one.name.toLowerCase().includes(words)).sort((a, b) => b.present - a.present).slice(0, 60);
  at("names").replaceChildren(...found.map((one) => make("option", { value: one.name, label: `${count(one.present)} present, ${count(one.unknown)} unknown` })));
}

function query() {
  const [least, most] = at("unknown").value.split("-"), label = at("label").value.trim();
  const wanted = { search: at("search").value.trim(), part: at("part").value, finding: at("finding").value };
  if (classes.has(label)) Object.assign(wanted, { label, state: at("state").value });
  if (least !== "0") wanted.least_unknown = least;
  if (most !== "1") wanted.most_unknown = most;
  if (at("suspected").checked) wanted.suspected = true;
  return wanted;
}

const rows = (start, many) => ask("/browse/rows", { query: { ...query(), start, count: many } });

let turn = 0;
async function sift() {
  const mine = ++turn, label = at("label").value.trim();
  if (label && !classes.has(label)) return void (at("summary").textContent = `No class is named ${label} so far.`);
  try {
    const found = await rows(0, PIECE);
    if (mine !== turn) return;
    fail("");
    if (at("grid").getBoundingClientRect().top < 0) at("controls").scrollIntoView();
    grid.reset(found.total, found.rows);
    at("summary").textContent = found.total === facts.images ? `All ${many(found.total, "image", "images")}` : `${count(found.total)} of ${many(facts.images, "image", "images")}`;
    const chosen = findings.find((one) => String(one.number) === at("finding").value);
    at("advice").hidden = !chosen;
    at("advice").textContent = chosen ? `${chosen.text}. ${chosen.do}${chosen.images < chosen.count && chosen.images >= 1000 ? " The first 1,000 are shown." : ""}` : "";
  } catch (problem) {
    fail(problem.message);
  }
}

function fill(tile, entry) {
  const names = entry.present.join(", ") + (entry.labels > entry.present.length ? ` and ${entry.labels - entry.present.length} more` : "");
  const image = make("img", { alt: "" });
  tile.replaceChildren(make("span", { class: "stage" }, image),
    make("span", { class: "names" }, names || "no label"),
    make("span", { class: "facts-line" }, [entry.part, entry.unknown ? `${count(entry.unknown)} unknown` : ""].filter(Boolean).join(" · ")));
  if (entry.suspected) tile.firstChild.append(make("span", { class: "badge" }, `? ${entry.suspected}`));
  tile.title = entry.image;
  tile.setAttribute("aria-label", [entry.image, names || "no label", entry.unknown ? `${entry.unknown} unknown` : "", entry.suspected ? many(entry.suspected, "suspected error", "suspected errors") : ""].filter(Boolean).join("; "));
  return show(image, `/browse/photo/${entry.row}?size=small`);
}

// Ask for doctor's findings until they are there.
async function consult() {
  for (;;) {
    const told = await ask("/browse/doctor").catch((problem) => ({ findings: [], problem: problem.message }));
    at("doctor-said").textContent = told.findings || told.problem ? told.problem || "" : told.to_open ? `opening images, ${Math.floor((100 * told.opened) / told.to_open)} %` : "looking …";
    if (told.findings || told.problem) {
      findings = (told.findings || []).filter((one) => one.images);
      at("finding-field").hidden = !findings.length && !told.problem;
      options(at("finding"), [["", "any image"], ...findings.map((one) => [one.number, `${one.severity}: ${one.text}`])]);
      return;
    }
    await new Promise((done) => setTimeout(done, 500));
  }
}

start();
