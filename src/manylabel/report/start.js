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
    const k = step;
    drawAll();
    show(chosen);
    if (curveNow()) moveTo(k);
  }, 150);
});
// Paper shows what the page keeps folded.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details.keep:not([open])")];
  for (const part of folded) part.open = true;
});
addEventListener("afterprint", () => folded.forEach((part) => (part.open = false)));
