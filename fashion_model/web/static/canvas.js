// The drawing area. A drawing is a list of strokes in units of SIZE; everything else (the screen, the
// picture that is sent, undo) is painted from that list.
const SIZE = 400, SENT = 280, EVERY_MS = 90, PATIENCE_MS = 15000;
const PINCH_MS = 400, PINCH_UNITS = 24;  // a stroke this young or this short was the first finger of two
const PALM_MS = 500;  // a touch so soon after the pen is the hand that holds it
const canvas = element.querySelector("canvas"), screen = canvas.getContext("2d");
const sheet = Object.assign(document.createElement("canvas"), { width: SENT, height: SENT });
const paper = sheet.getContext("2d", { willReadFrequently: true });
const { say, fill, emit, requests } = window.fashion;
const button = (name) => element.querySelector(`[data-do=${name}]`);

let strokes = [];           // {pen, width, points: [[x, y], ...]}, or {wipe: true} where Clear was pressed
let current = null, tool = { pen: "pen", width: 14 };
let pointer = null;         // what draws current: {id, type, began, left: of the canvas, side: its width}
let network = props.network;
let sentAt = 0, frame = 0, penAt = -PALM_MS;

const sinceWipe = () => strokes.slice(strokes.findLastIndex((stroke) => stroke.wipe) + 1);
const blank = () => !sinceWipe().some((stroke) => stroke.pen === "pen");

function paint(context, pixels, ink, erase) {
  context.setTransform(pixels / SIZE, 0, 0, pixels / SIZE, 0, 0);
  context.lineCap = context.lineJoin = "round";
  for (const { pen, width, points } of sinceWipe()) {
    context.globalCompositeOperation = pen === "eraser" ? erase : "source-over";
    context.strokeStyle = context.fillStyle = pen === "eraser" ? "#fff" : ink;
    context.lineWidth = width;
    context.beginPath();
    if (points.every(([x, y]) => x === points[0][0] && y === points[0][1])) {  // no line has no length
      context.arc(...points[0], width / 2, 0, 2 * Math.PI);
      context.fill();
      continue;
    }
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

const report = (prediction) => emit("prediction", { tab: "draw", prediction });
const questions = requests({
  state: () => ({ image: picture(), kind: "drawing", network }),
  send: async (state) => {
    sentAt = performance.now();
    return { ...await server.read_picture(state), question: state };
  },
  show: report,
  delay: () => (current ? Math.max(0, EVERY_MS - (performance.now() - sentAt)) : 0),
  patience: PATIENCE_MS,
});

function changed() {
  frame ||= requestAnimationFrame(show);
  if (blank()) {
    questions.cancel();
    report(null);
  } else questions.changed();
}

function place(event) {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) / box.width) * SIZE, ((event.clientY - box.top) / box.height) * SIZE];
}

function begin(event) {
  const { left, width } = canvas.getBoundingClientRect();
  pointer = { id: event.pointerId, type: event.pointerType, began: performance.now(), left, side: width };
  try { canvas.setPointerCapture(pointer.id); } catch { /* it was lifted already: a dot */ }
  current = { ...tool, points: [place(event)] };
  strokes.push(current);
  changed();
}

function end() {
  if (pointer.type === "pen") penAt = performance.now();
  pointer = current = null;
  changed();
}

// Whether current is a stroke already, not the first finger of a pinch, a palm, or a touch that the system took
function meant() {
  const [x, y] = current.points[0];
  const reach = Math.max(...current.points.map(([u, v]) => Math.hypot(u - x, v - y)));
  return performance.now() - pointer.began > PINCH_MS && reach > PINCH_UNITS;
}

function interrupt() {
  if (!meant()) strokes = strokes.filter((stroke) => stroke !== current);
  end();
}

// Every finger on the page, and since when: two that come together are a pinch, one that rests is a thumb
const fingers = new Map();
let pinch = false;  // until the first finger of the next touch
document.addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "touch") return;
  if (event.isPrimary) {  // the only one, even where another's end was never told
    fingers.clear();
    pinch = false;
  }
  fingers.set(event.pointerId, performance.now());
  if (pointer?.type === "touch" && event.pointerId !== pointer.id && !meant()) {
    pinch = true;
    interrupt();
  }
}, true);
for (const name of ["pointerup", "pointercancel"]) document.addEventListener(name, (event) => { fingers.delete(event.pointerId); }, true);
const pinching = (event) => pinch || [...fingers].some(([id, since]) => id !== event.pointerId && performance.now() - since < PINCH_MS);

canvas.addEventListener("pointerdown", (event) => {
  if (event.button !== 0) return;
  if (event.pointerType === "touch" && (pinching(event) || performance.now() - penAt < PALM_MS)) return;
  if (pointer?.type === "touch" && event.pointerType === "pen") interrupt();
  if (pointer) return;
  event.preventDefault();
  begin(event);
});
canvas.addEventListener("pointermove", (event) => {
  if (event.pointerId !== pointer?.id) return;
  if (event.pointerType === "mouse" && !(event.buttons & 1)) return end();  // released where nobody saw it
  const events = event.getCoalescedEvents?.() ?? [];
  current.points.push(...(events.length ? events : [event]).map(place));
  changed();
});
for (const name of ["pointerup", "lostpointercapture"]) canvas.addEventListener(name, (event) => {
  if (event.pointerId === pointer?.id) end();
});
canvas.addEventListener("pointercancel", (event) => {
  if (event.pointerId === pointer?.id) interrupt();
});
canvas.addEventListener("contextmenu", (event) => event.preventDefault());  // a long touch draws
window.addEventListener("blur", () => { if (pointer) end(); });
window.addEventListener("resize", () => {  // the device turns: the finger is now elsewhere on the paper
  const { left, width } = canvas.getBoundingClientRect();
  if (pointer && (Math.abs(left - pointer.left) > 1 || Math.abs(width - pointer.side) > 1)) end();
});

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
document.addEventListener("fashion:repeat", (event) => {
  if (event.detail === "draw" && !blank()) questions.repeat();
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
