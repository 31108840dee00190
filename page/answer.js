// The answer beside both tabs. Each tab keeps its own last answer; the one of the open tab is shown, so
// that a late answer to an upload never covers the drawing's, nor the other way round.
const EMPTY = {
  draw: "Draw something, and the answer appears here.",
  upload: "Upload a picture, and the answer appears here.",
};
const HOW = {
  drawing: "Read as a drawing.",
  photo: "Read as a photo: cut out, made grey, light on dark.",
  dataset: "Read as a Fashion-MNIST picture: unchanged.",
};
const part = (selector) => element.querySelector(selector);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const answers = { draw: null, upload: null };
let open = "draw";

const rows = new Map(props.classes.map((label) => {
  const row = document.createElement("li");
  row.innerHTML = `<button type="button" class="label" disabled></button><span class="track"><i></i></span><span class="share"></span>`;
  row.querySelector(".label").textContent = label;
  row.querySelector(".label").setAttribute("aria-label", `Why ${label}?`);
  row.addEventListener("click", () => choose(label));
  part(".bars").append(row);
  return [label, row];
}));

function percent(confidence) {
  const value = confidence * 100;
  return value > 0 && value < 1 ? "<1\u2009%" : value > 99 && value < 100 ? ">99\u2009%" : `${Math.round(value)}\u2009%`;
}

function bars(confidences) {
  const list = part(".bars"), before = new Map([...rows].map(([label, row]) => [label, row.offsetTop]));
  confidences.forEach(([label, confidence], rank) => {
    const row = rows.get(label);
    row.classList.toggle("first", rank === 0 && confidence > 0);
    row.querySelector("i").style.width = `${confidence * 100}%`;
    row.querySelector(".share").textContent = confidence > 0 ? percent(confidence) : "";
    if (list.children[rank] !== row) list.insertBefore(row, list.children[rank]);
  });
  if (calm.matches) return;
  for (const [label, row] of rows) {
    const moved = before.get(label) - row.offsetTop;
    if (moved) row.animate([{ transform: `translateY(${moved}px)` }, { transform: "none" }], { duration: 220, easing: "ease-out" });
  }
}

function put(figure, url, alt) {
  const image = part(`${figure} img`);
  image.hidden = !url;
  image.alt = url ? alt : "";
  if (url) image.src = url;
  else image.removeAttribute("src");
}

function show() {
  const answer = answers[open], good = answer && !answer.error;
  part(".answer").dataset.state = !answer ? "empty" : answer.error ? "error" : answer.known ? "known" : "unknown";
  part(".sentence").textContent = !answer ? EMPTY[open] : answer.error ?? answer.sentence;
  part(".how").textContent = good ? HOW[answer.kind] : "";
  bars(good ? answer.confidences : props.classes.map((label) => [label, 0]));
  put(".seen", good && answer.seen, "The 28 by 28 picture that the network sees");
  put(".cutout", good && answer.cutout, "The picture with all that was cut away dimmed");
  part(".cutout").hidden = !(good && answer.cutout);
  for (const row of rows.values()) row.querySelector(".label").disabled = !good;
  part(".answer").dataset.kind = good ? answer.kind : "";
  why();
}

// Why: the pixels that speak for the chosen label (else the first), and those for its rival. Asked for
// once an answer has stood for a moment, so that no answer waits for it; the last maps stay, faint, till then.
const STANDS_MS = 350;
const asked = { draw: null, upload: null }, maps = new WeakMap(), inside = new WeakMap();  // of an answer
let network = props.network, tap = null, chosen = null, timer = 0, busy = false;

function rivals(answer) {
  const [first, second] = answer.confidences.map(([label]) => label);
  const label = chosen?.answer === answer ? chosen.label : first;
  return [label, label === first ? second : first];
}

function why() {
  const answer = answers[open], good = answer && !answer.error, known = good && maps.get(answer);
  clearTimeout(timer);
  const labels = good ? rivals(answer) : [], all = known && labels.every((label) => known[label]);
  for (const row of rows.values()) row.removeAttribute("data-chosen");
  if (good) rows.get(labels[0]).dataset.chosen = "";
  part(".views").classList.toggle("stale", Boolean(good && !all));
  labels.forEach((label, i) => { if (all) put(`[data-why="${i}"]`, known[label], `Your picture; the pixels that speak for ${label} are orange`); });
  if (!good) for (const i of [0, 1]) put(`[data-why="${i}"]`, null);
  if (good && (all || !known)) {
    part(`[data-why="0"] b`).textContent = `Why ${labels[0]}?`;
    part(`[data-why="1"] b`).textContent = `Why ${labels[1]}?`;
  } else if (!good) {
    part(`[data-why="0"] b`).textContent = "Why?";
    part(`[data-why="1"] b`).textContent = "What else?";
  }
  const look = good && part(".inside").open && !inside.has(answer);
  if (good && (!all || look)) timer = setTimeout(ask, known ? 0 : STANDS_MS, answer, all ? null : labels);
  steps(good && inside.get(answer), good);
}

function question() {
  if (open === "draw") return asked.draw;
  const of = decodeURIComponent(document.querySelector("#picture img")?.src ?? "");
  const path = of.split("/file=")[1];
  return path && { image: { path, meta: { _type: "gradio.FileData" } }, network, tap: tap?.of === of ? tap : null };
}

async function ask(answer, labels) {
  const about = question();
  if (busy || !about) return;
  busy = true;
  try {
    const whole = { ...about, kind: answer.kind, labels };
    const reply = labels ? await server.explain_answer(whole) : await server.look_inside(whole);
    if (labels) maps.set(answer, { ...maps.get(answer), ...reply.maps });
    else inside.set(answer, reply);
    busy = false;
    if (!reply.error) why();
  } catch {
    busy = false;  // the answer stands without its maps
  }
}

// Every layer, unfolded on demand: what it is, what it made, and a sentence.
let shown = null;
function steps(reply, good) {
  const list = part(".steps");
  list.classList.toggle("stale", Boolean(good && shown && reply !== shown));
  if (!good) { list.textContent = "Draw or upload something first."; shown = null; }
  if (!reply?.steps || reply === shown) return;
  shown = reply;
  list.textContent = "";
  list.append("In the pictures of numbers white is the most, black is 0, and blue is below 0.");
  const make = (tag, name, text) => Object.assign(document.createElement(tag), { className: name, textContent: text ?? "" });
  const image = (url, alt) => Object.assign(document.createElement("img"), { src: url, alt });
  for (const step of reply.steps) {
    const row = make("section", "step"), text = make("div", "text");
    const title = make("h3", "", step.title), code = make("p", "code");
    code.append(make("code", "", step.module || "28 × 28 grey pixels"), make("code", "shape", step.shape));
    text.append(title, code, make("p", "said", step.sentence));
    if (step.name === "softmax") text.append(softmax(reply, make));
    row.append(step.name === "argmax" ? make("i") : image(step.picture, `What ${step.title} put out`), text);
    list.append(row);
    if (step.title === "ReLU" && !list.querySelector(".units")) {
      const units = make("div", "units");
      const about = reply.weights ? "The weights of the units that fired most: white looks for light there, blue for dark." : "The maps of the first layers in which most was found.";
      for (const unit of reply.units) units.append(image(unit.picture, `Unit ${unit.index}`));
      text.append(make("p", "said", about), units);
    }
  }
}

function softmax({ softmax: terms, temperature }, make) {
  const table = make("table", "sum");
  for (const term of terms.slice(0, 3)) {
    const row = make("tr");
    row.append(make("th", "", term.label));
    const scaled = temperature === 1 ? term.logit.toFixed(3) : `${term.logit.toFixed(3)} ÷ ${temperature.toFixed(3)} = ${term.scaled.toFixed(3)}`;
    for (const cell of [scaled, `e^${term.scaled.toFixed(3)} = ${term.exponential.toFixed(3)}`, `÷ ${term.total.toFixed(3)} = ${term.confidence.toFixed(5)}`]) row.append(make("td", "", cell));
    table.append(row);
  }
  return table;
}
part(".inside").addEventListener("toggle", () => why());

function choose(label) {
  const answer = answers[open];
  if (!answer || answer.error) return;
  chosen = { answer, label };
  why();
}

watch("value", () => { answers.upload = props.value || null; show(); });
document.addEventListener("fashion:answer", (event) => { answers[event.detail.source] = event.detail.answer; asked[event.detail.source] = event.detail.asking; show(); });
document.addEventListener("fashion:network", (event) => { network = event.detail; });
document.addEventListener("fashion:tap", (event) => { tap = event.detail; });
document.addEventListener("fashion:tab", (event) => { open = event.detail; show(); });

// What the browser cannot show (a TIFF, or no picture at all) is no broken-image sign.
for (const event of ["error", "load"]) document.addEventListener(event, ({ target }) => {
  if (target.closest?.("#picture")) target.style.visibility = event === "error" ? "hidden" : "";
}, true);

// A tap on the upload or on the cut-out says where the garment is: x and y are shares of the picture's
// width and height. The picture may be smaller than its box (object-fit), but is never enlarged.
document.addEventListener("click", (event) => {
  const image = event.target.closest?.("#picture img, .cutout img");
  if (!image?.naturalWidth || open !== "upload") return;
  const box = image.getBoundingClientRect(), { naturalWidth: width, naturalHeight: height } = image;
  const scale = Math.min(box.width / width, box.height / height, image.closest(".cutout") ? Infinity : 1);
  const x = (event.clientX - box.left - box.width / 2) / (width * scale) + 0.5;
  const y = (event.clientY - box.top - box.height / 2) / (height * scale) + 0.5;
  const of = document.querySelector("#picture img")?.src;
  if (x < 0 || x > 1 || y < 0 || y > 1 || !of) return;
  document.dispatchEvent(new CustomEvent("fashion:tap", { detail: { x, y, of: decodeURIComponent(of) } }));
});
show();
