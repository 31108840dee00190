// The drawing area. A drawing is a list of strokes in units of SIZE; everything else (the screen, the
// picture that is sent, undo) is painted from that list. One request is in flight at a time and the last
// state is always asked for, so that an old answer can never replace a newer one.
const SIZE = 400, SENT = 280, EVERY_MS = 90, PATIENCE_MS = 15000;
const canvas = element.querySelector("canvas"), screen = canvas.getContext("2d");
const sheet = Object.assign(document.createElement("canvas"), { width: SENT, height: SENT });
const paper = sheet.getContext("2d", { willReadFrequently: true });
const { say, fill } = window.fashion;
const button = (name) => element.querySelector(`[data-do=${name}]`);

let strokes = [];           // {pen, width, points: [[x, y], ...]}, or {wipe: true} where Clear was pressed
let current = null, pointer = null, tool = { pen: "pen", width: 14 };
let network = props.network;
let wanted = 0, asked = 0, forgotten = 0, sentAt = 0, busy = false, failures = 0, timer = 0, frame = 0;

const sinceWipe = () => strokes.slice(strokes.findLastIndex((stroke) => stroke.wipe) + 1);
const blank = () => !sinceWipe().some((stroke) => stroke.pen === "pen");

function paint(context, pixels, ink, erase) {
  context.setTransform(pixels / SIZE, 0, 0, pixels / SIZE, 0, 0);
  context.lineCap = context.lineJoin = "round";
  for (const { pen, width, points } of sinceWipe()) {
    context.globalCompositeOperation = pen === "eraser" ? erase : "source-over";
    context.strokeStyle = pen === "eraser" ? "#fff" : ink;
    context.lineWidth = width;
    context.beginPath();
    context.moveTo(...points[0]);
    for (let i = 1; i < points.length; i++) {
      const [x, y] = points[i - 1], [u, v] = points[i];
      context.quadraticCurveTo(x, y, (x + u) / 2, (y + v) / 2);
    }
    context.lineTo(...points.at(-1));
    context.stroke();
  }
  context.globalCompositeOperation = "source-over";
}

function show() {
  frame = 0;
  screen.setTransform(1, 0, 0, 1, 0, 0);
  screen.clearRect(0, 0, canvas.width, canvas.height);
  paint(screen, canvas.width, "#000", "destination-out");  // dark mode inverts it in CSS
  element.querySelector(".hint").hidden = sinceWipe().length > 0;
  button("undo").disabled = strokes.length === 0;
  button("clear").disabled = sinceWipe().length === 0;
}

function picture() {
  paper.setTransform(1, 0, 0, 1, 0, 0);
  paper.fillStyle = "#fff";
  paper.fillRect(0, 0, SENT, SENT);
  paint(paper, SENT, "#000", "source-over");
  return sheet.toDataURL("image/png");
}

function changed() {
  frame ||= requestAnimationFrame(show);
  wanted += 1;
  if (blank()) {
    forgotten = asked = wanted;
    tell(null);
  } else schedule();
}

function schedule() {
  clearTimeout(timer);
  timer = setTimeout(ask, current ? Math.max(0, EVERY_MS - (performance.now() - sentAt)) : 0);
}

async function ask() {
  if (busy || asked === wanted) return;
  busy = true;
  asked = wanted;
  sentAt = performance.now();
  const question = asked;
  const asking = { image: picture(), network };
  let late;
  const patience = new Promise((_, reject) => { late = setTimeout(reject, PATIENCE_MS); });
  try {
    const reply = await Promise.race([server.read_drawing(asking), patience]);
    if (!reply?.confidences && !reply?.error) throw reply;  // Gradio's client swallows a lost connection
    failures = 0;
    if (question > forgotten) tell(reply, asking);
  } catch {
    failures += 1;
    if (failures === 1 && question > forgotten) asked = question - 1;  // ask once more
    else if (question > forgotten) tell({ error: say("error.silent") });
  }
  clearTimeout(late);
  busy = false;
  if (asked !== wanted) schedule();
}

const tell = (answer, asking) =>
  document.dispatchEvent(new CustomEvent("fashion:answer", { detail: { source: "draw", answer, asking } }));

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
}

canvas.addEventListener("pointerdown", (event) => {
  if (pointer !== null || event.button !== 0) return;
  event.preventDefault();
  pointer = event.pointerId;
  canvas.setPointerCapture(pointer);
  current = { ...tool, points: [place(event)] };
  strokes.push(current);
  changed();
});
canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer) return;
  const events = event.getCoalescedEvents?.() ?? [];
  current.points.push(...(events.length ? events : [event]).map(place));
  changed();
});
const lift = (event) => {
  if (event.pointerId !== pointer) return;
  pointer = current = null;
  changed();
};
canvas.addEventListener("pointerup", lift);
canvas.addEventListener("pointercancel", lift);

function undo() {
  if (current || strokes.length === 0) return;
  strokes.pop();
  changed();
}
function clear() {
  if (current || sinceWipe().length === 0) return;
  strokes.push({ wipe: true });
  take(element.querySelector("[data-pen=pen][aria-pressed=true]") ?? element.querySelector("[data-width='14']"));
  changed();
}
function take(chosen) {
  tool = { pen: chosen.dataset.pen, width: Number(chosen.dataset.width) };
  for (const other of element.querySelectorAll("[data-pen]")) other.setAttribute("aria-pressed", other === chosen);
}

button("undo").addEventListener("click", undo);
button("clear").addEventListener("click", clear);
for (const chosen of element.querySelectorAll("[data-pen]")) chosen.addEventListener("click", () => take(chosen));

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input:not([type=radio]), textarea, select, [contenteditable]");
  if (typing || !element.isConnected || !canvas.offsetParent || event.shiftKey || event.altKey) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    undo();
  }
});
document.addEventListener("fashion:network", (event) => {
  network = event.detail;
  if (!blank()) changed();
});

// paint() rounds between points: many points keep a corner a corner
const dense = (corners) => corners.slice(1).reduce((points, [x, y], i) => {
  const [u, v] = corners[i], steps = Math.ceil(Math.hypot(x - u, y - v) / 8);
  for (let k = 1; k <= steps; k++) points.push([u + ((x - u) * k) / steps, v + ((y - v) * k) / steps]);
  return points;
}, [corners[0]]);
for (const [name, outline] of Object.entries(props.starters)) {
  const start = document.createElement("button");
  start.type = "button";
  start.textContent = say(`start.${name}`, {}, name);
  start.addEventListener("click", () => {
    if (current) return;
    if (sinceWipe().length) strokes.push({ wipe: true });
    for (const corners of outline) strokes.push({ pen: "pen", width: 14, points: dense(corners) });
    changed();
  });
  element.querySelector(".starters").append(start);
}
fill(element);
