// == suspected label errors: a review whose verdicts are saved as the findings file
const F = D.findings, VERDICTS = { a: "accept", r: "reject", u: "unknown" };
const column = (name) => F.columns.indexOf(name);
let verdicts = [], listed = [], here = 0, shownFindings = 24;
const cell = (k, name) => F.rows[k][column(name)];
function prepareFindings() {
  if (!F) return;
  verdicts = F.rows.map((row) => row[column("verdict")]);
  recall();
  const classes = [...new Set(F.rows.map((row) => row[column("label")]))].sort();
  options(at("finding-class"), [["", "all classes"], ...classes.map((name) => [name, name])]);
  for (const [facet, values] of Object.entries(F.facets)) {
    const select = make("select", { "data-facet": facet }), numeric = values.every((v) => v === "" || Number.isFinite(+v));
    const found = [...new Set(values)].filter((v) => v !== "").sort((a, b) => (numeric ? b - a : a < b ? -1 : 1));
    const steps = numeric && found.length > 12 ? [0, 1, 2, 3].map((q) => found[Math.floor((found.length * (q + 1)) / 5)]) : found;
    options(select, [["", "all"], ...steps.map((v) => [v, steps === found ? v : `at least ${plain(+v)}`])]);
    select.dataset.least = steps === found ? "" : "yes";
    at("finding-facets").append(make("label", {}, `${facet[0].toUpperCase()}${facet.slice(1)} `, select));
  }
  at("findings-form").onchange = () => { here = 0; shownFindings = 24; sift(); };
  at("findings-form").onsubmit = (event) => event.preventDefault();
  at("more-findings").onclick = () => { shownFindings += 24; findingCards(); };
  at("save-verdicts").onclick = saveVerdicts;
  at("findings-list").onkeydown = findingKeys;
  at("findings-list").onclick = (event) => {
    const card = event.target.closest("[data-k]"), button = event.target.closest("button");
    if (card && button) judge(+card.dataset.k, button.dataset.verdict, false);
  };
  at("findings-list").onfocusin = (event) => { const card = event.target.closest("[data-k]"); if (card) stand(listed.indexOf(+card.dataset.k), false); };
  sift();
}
function wanted(k) {
  const name = at("finding-class").value, seen = at("finding-seen").value;
  if (name && cell(k, "label") !== name) return false;
  if (seen && (seen === "open") !== (verdicts[k] === "")) return false;
  return [...at("finding-facets").querySelectorAll("select")].every((select) => {
    const value = F.facets[select.dataset.facet][k];
    return !select.value || (select.dataset.least ? value !== "" && +value >= +select.value : value === select.value);
  });
}
function sift() {
  listed = F.rows.map((_, k) => k).filter(wanted);
  findingCards();
}
function findingCards() {
  const list = at("findings-list");
  list.replaceChildren(...listed.slice(0, shownFindings).map(findingCard));
  if (!listed.length) list.append(make("li", { class: "absent" }, "No finding of that kind."));
  at("more-findings").hidden = listed.length <= shownFindings;
  if (listed.length) stand(clamp(here, 0, Math.min(listed.length, shownFindings) - 1), false);
  progress();
}
function findingCard(k) {
  const image = cell(k, "image"), label = cell(k, "label"), sure = Number(cell(k, "confidence")), tags = Object.entries(F.facets).map(([, values]) => values[k]).filter(Boolean);
  const button = (key, verdict) => make("button", { type: "button", "data-verdict": verdict, tabindex: -1, title: `${verdict} (${key})` }, verdict);
  const card = make("li", { "data-k": k, tabindex: -1, role: "group", "aria-label": `${cell(k, "rank")}: ${label} of ${image}, given ${cell(k, "given")}, likely ${cell(k, "suggested")}. ${cell(k, "reasons")}` },
    pictureOf(image), make("h3", {}, make("span", { class: "quiet" }, `${cell(k, "rank")}. `), make("span", { class: "name" }, label)),
    make("p", { class: "change" }, make("s", {}, cell(k, "given")), " → ", make("b", {}, cell(k, "suggested"))),
    make("p", {}, cell(k, "reasons")), make("p", {}, Number.isFinite(sure) ? `model's confidence in the label as given: ${chance(1000 * sure)}` : ""),
    make("p", { class: "id" }, image), tags.length ? make("p", { class: "chips" }, ...tags.map((tag) => make("span", { class: "chip" }, tag))) : null,
    make("div", { class: "verdict", role: "group", "aria-label": "Verdict" }, ...Object.entries(VERDICTS).map(([key, verdict]) => button(key, verdict))));
  return mark(card, verdicts[k]);
}
function mark(card, verdict) {
  card.dataset.verdict = verdict;
  for (const button of card.querySelectorAll("[data-verdict]")) button.setAttribute("aria-pressed", String(button.dataset.verdict === verdict));
  return card;
}
const cardAt = (place) => at("findings-list").children[place];
function stand(place, focus) {
  const before = cardAt(here);
  if (before) [before, ...before.querySelectorAll("button")].forEach((e) => (e.tabIndex = -1));
  here = place;
  const card = cardAt(here);
  if (!card) return;
  [card, ...card.querySelectorAll("button")].forEach((e) => (e.tabIndex = 0));
  if (focus) card.focus();
}
// The same verdict again takes it back.
function judge(k, verdict, onward) {
  verdicts[k] = verdicts[k] === verdict ? "" : verdict;
  const place = listed.indexOf(k);
  mark(cardAt(place), verdicts[k]);
  remember();
  progress();
  at("verdict-said").textContent = `${cell(k, "label")} of ${cell(k, "image")}: ${verdicts[k] || "no verdict"}`;
  if (onward && verdicts[k]) goTo(place + 1);
}
function goTo(place) {
  if (place >= shownFindings && place < listed.length) { shownFindings += 24; findingCards(); }
  stand(clamp(place, 0, Math.min(listed.length, shownFindings) - 1), true);
}
function findingKeys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || !listed.length) return;
  const across = Math.max(1, getComputedStyle(at("findings-list")).gridTemplateColumns.split(" ").length);
  const by = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: across, ArrowUp: -across }[event.key], verdict = VERDICTS[event.key.toLowerCase()];
  if (by) goTo(here + by);
  else if (verdict) judge(listed[here], verdict, true);
  else return;
  event.preventDefault();
}
function progress() {
  const tally = (word) => verdicts.filter((v) => v === word).length, seen = verdicts.length - tally("");
  at("findings-progress").max = verdicts.length;
  at("findings-progress").value = seen;
  at("findings-count").textContent = `${count(seen)} of ${count(verdicts.length)} reviewed: ${tally("accept")} accepted, ${tally("reject")} rejected, ${tally("unknown")} unknown. ${count(listed.length)} listed.`;
}
// Verdicts outlive a reload where the browser lets a page keep something; without that they live as long as the page.
function remember() {
  const kept = Object.fromEntries(verdicts.flatMap((verdict, k) => (verdict === F.rows[k][column("verdict")] ? [] : [[k, verdict]])));
  try { localStorage.setItem(`manylabel-verdicts-${F.key}`, JSON.stringify(kept)); } catch { at("findings-kept").hidden = false; }
}
function recall() {
  try {
    const kept = JSON.parse(localStorage.getItem(`manylabel-verdicts-${F.key}`) || "{}");
    for (const [k, verdict] of Object.entries(kept)) if (verdicts[k] != null && ["", ...Object.values(VERDICTS)].includes(verdict)) verdicts[k] = verdict;
  } catch { at("findings-kept").hidden = false; }
}
// A CSV as the findings file has it: quoted where needed, lines end in CR LF.
function findingsFile() {
  const quoted = (text) => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const rows = F.rows.map((row, k) => row.map((text, c) => (c === column("verdict") ? verdicts[k] : text)));
  return [F.columns, ...rows].map((row) => row.map(quoted).join(",") + "\r\n").join("");
}
function saveVerdicts() {
  const url = URL.createObjectURL(new Blob([findingsFile()], { type: "text/csv" }));
  const link = make("a", { href: url, download: "findings.csv" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}
