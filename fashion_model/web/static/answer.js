// The answer beside both tabs. Each tab keeps its own last prediction; the one of the open tab is shown, so
// that a late answer to an upload never covers the drawing's, nor the other way round.
const { say, named, translated, translatedMessage, fill, emit } = window.fashion;
const part = (selector) => element.querySelector(selector);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const PENDING = { pending: true };  // a picture is on its way
const predictions = { draw: null, upload: null };
let open = "draw";

const rows = new Map(props.classes.map((label) => {
  const row = document.createElement("li");
  row.innerHTML = `<button type="button" class="label" disabled></button><span class="track"><i></i></span><span class="share"></span>`;
  row.querySelector(".label").textContent = named(label);
  row.querySelector(".label").setAttribute("aria-label", say("saliency.label", { label }));
  row.title = named(label) === label ? "" : label;
  row.addEventListener("click", () => choose(label));
  part(".bars").append(row);
  return [label, row];
}));

function percent(confidence) {
  const value = confidence * 100;
  return value > 0 && value < 1 ? "<1%" : value > 99 && value < 100 ? ">99%" : `${Math.round(value)}%`;
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

// What a network reads: 28x28 gray pixels; or more: a drawing's lines, a photo's colors
function inputNote({ kind }) {
  const { naturalWidth: width, naturalHeight: height } = part(".network-input img");
  return say(width <= 28 ? "input.gray" : kind === "drawing" ? "input.lines" : "input.color", { width, height });
}
part(".network-input img").addEventListener("load", () => {
  const prediction = predictions[open];
  if (!prediction?.confidences) return;
  part(".network-input span").textContent = inputNote(prediction);
  part(".network-input img").alt = say("input.alt", { note: inputNote(prediction) });
  part(".network-input img").classList.toggle("pixels", part(".network-input img").naturalWidth <= 28);
});

function show() {
  const prediction = predictions[open], good = prediction?.confidences && prediction;
  const state = !prediction || prediction.pending ? "empty" : prediction.error ? "error" : prediction.in_distribution ? "known" : "unknown";
  const sentence = !prediction ? say(`empty.${open}`) : prediction.pending ? say("reading") : prediction.error ? translated(prediction.error) : translatedMessage(prediction.message);
  const none = good && good.out_of_distribution > 0 ? say("none", { share: percent(good.out_of_distribution) }) : "";
  part(".answer").dataset.state = state;
  part(".answer").dataset.kind = good ? good.kind : "";
  part(".sentence").textContent = sentence;
  part(".how").textContent = good ? say(`how.${good.kind}`) : "";
  part(".none").textContent = none;
  bars(good ? good.confidences : props.classes.map((label) => [label, 0]));
  put(".network-input", good && good.network_input, say("input"));
  if (!good) part(".network-input span").textContent = "\u00a0";  // not what the other tab's picture was
  put(".segmented", good && good.segmented, say("segmented.alt"));
  part(".segmented").hidden = !(good && good.segmented);
  for (const row of rows.values()) row.querySelector(".label").disabled = !good;
  const [label, confidence] = good ? good.confidences[0] : [];
  emit("shown", { tab: open, state, sentence, none, label: good && named(label), confidence: good && percent(confidence), share: confidence, prediction: good || null });
  showSaliency();
}

// Why: the pixels that speak for the chosen label (else the first), and those for its rival. Asked for
// once an answer has stood for a moment, so that no answer waits for it; the last maps stay, faint, till then.
const STANDS_MS = 350, AGAIN_MS = 10000;
const maps = new WeakMap();  // by label, of a prediction
let chosen = null, timer = 0, busy = false, repeatedAt = -AGAIN_MS;

function rivals(prediction) {
  const [first, second] = prediction.confidences.map(([label]) => label);
  const label = chosen?.prediction === prediction ? chosen.label : first;
  return [label, label === first ? second : first];
}

function showSaliency() {
  const prediction = predictions[open], good = prediction?.confidences, known = good && maps.get(prediction);
  clearTimeout(timer);
  const labels = good ? rivals(prediction) : [], all = known && labels.every((label) => known[label]);
  for (const row of rows.values()) row.removeAttribute("data-chosen");
  if (good) rows.get(labels[0]).dataset.chosen = "";
  part(".views").classList.toggle("stale", Boolean(good && !all));
  labels.forEach((label, i) => { if (all) put(`[data-rank="${i}"]`, known[label], say("saliency.alt", { label })); });
  if (!good) for (const i of [0, 1]) put(`[data-rank="${i}"]`, null);
  if (good && (all || !known)) {
    part(`[data-rank="0"] b`).textContent = say("saliency.label", { label: labels[0] });
    part(`[data-rank="1"] b`).textContent = say("saliency.label", { label: labels[1] });
  } else if (!good) {
    part(`[data-rank="0"] b`).textContent = say("saliency");
    part(`[data-rank="1"] b`).textContent = say("else");
  }
  if (good && !all) timer = setTimeout(askMaps, known ? 0 : STANDS_MS, prediction, labels);
}

async function askMaps(prediction, labels) {
  if (busy) return;
  busy = true;
  try {
    const reply = await server.ask_maps({ ...prediction.question, labels });
    maps.set(prediction, { ...maps.get(prediction), ...reply.maps });
    busy = false;
    if (!reply.error) showSaliency();
    else if (["gone", "upload"].includes(reply.error.key)) emit("gone");
  } catch {
    busy = false;  // the answer stands without its maps
  }
}

function choose(label) {
  const prediction = predictions[open];
  if (!prediction?.confidences) return;
  chosen = { prediction, label };
  showSaliency();
}

document.addEventListener("fashion:prediction", ({ detail: { tab, prediction } }) => {
  predictions[tab] = prediction;
  show();
});
document.addEventListener("fashion:reading", () => { predictions.upload = PENDING; show(); });
document.addEventListener("fashion:tab", (event) => { open = event.detail; show(); });

// The server deletes an upload after a while: a panel's question must begin with the picture anew
document.addEventListener("fashion:gone", () => {
  if (performance.now() - repeatedAt < AGAIN_MS) return;
  repeatedAt = performance.now();
  emit("repeat", open);
});
fill(element);
show();
