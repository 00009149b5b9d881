// == start
function drawAll() {
  bars();
  if (D.matrix.classes.length > 1) [matrix, confusions].forEach((drawn) => drawn());
  unknown();
  perImage();
  learning();
  drawReliability();
  differences();
}
// The same in another width: the class and the threshold stay.
function redraw() {
  const k = step;
  drawAll();
  show(chosen);
  if (curveNow()) moveTo(k);
}
prepareClass();
prepareTable();
prepareGallery();
prepareMatrix();
prepareReliability();
prepareCompared();
prepareFindings();
drawAll();
show(D.order.find((c) => D.curves[c]?.line) ?? D.order[0]);
let drawnAt = innerWidth, waiting;
addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => {
    if (innerWidth === drawnAt) return;
    drawnAt = innerWidth;
    redraw();
  }, 150);
});
// Paper shows what the page keeps folded, drawn for its own width.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details.keep:not([open])")];
  for (const part of folded) part.open = true;
  document.documentElement.classList.add("paper");
  redraw();
  paperCards();
});
addEventListener("afterprint", () => {
  for (const part of folded) part.open = false;
  document.documentElement.classList.remove("paper");
  redraw();
  cards();
});
