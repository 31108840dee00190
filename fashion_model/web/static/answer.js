// The answer beside both tabs. Each tab keeps its own last answer; the one of the open tab is shown, so
// that a late answer to an upload never covers the drawing's, nor the other way round.
const { say, named, translated, fill } = window.fashion;
const part = (selector) => element.querySelector(selector);
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
const answers = { draw: null, upload: null };
let open = "draw";

const rows = new Map(props.classes.map((label) => {
  const row = document.createElement("li");
  row.innerHTML = `<button type="button" class="label" disabled></button><span class="track"><i></i></span><span class="share"></span>`;
  row.querySelector(".label").textContent = named(label);
  row.querySelector(".label").setAttribute("aria-label", say("why.label", { label }));
  row.title = named(label) === label ? "" : label;
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
  part(".sentence").textContent = !answer ? say(`empty.${open}`) : answer.error ? translated(answer.error) : say(answer.said.key, answer.said.values);
  const looks = good ? answer.closers.map((name) => say(`closer.${name}`)).join(say("comma")) : "";
  part(".how").textContent = good ? say(`how.${answer.kind}`) + (looks && say("closers", { looks })) : "";
  bars(good ? answer.confidences : props.classes.map((label) => [label, 0]));
  put(".seen", good && answer.seen, say("seen.alt"));
  put(".cutout", good && answer.cutout, say("cutout.alt"));
  part(".cutout").hidden = !(good && answer.cutout);
  for (const row of rows.values()) row.querySelector(".label").disabled = !good;
  part(".answer").dataset.kind = good ? answer.kind : "";
  const about = good && question();  // what the panels below ask about
  document.dispatchEvent(new CustomEvent("fashion:shown", { detail: about ? { answer, about: { ...about, kind: answer.kind } } : { answer: null, about: null } }));
  why();
}

// Why: the pixels that speak for the chosen label (else the first), and those for its rival. Asked for
// once an answer has stood for a moment, so that no answer waits for it; the last maps stay, faint, till then.
const STANDS_MS = 350;
const asked = { draw: null, upload: null }, maps = new WeakMap();  // of an answer
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
  labels.forEach((label, i) => { if (all) put(`[data-why="${i}"]`, known[label], say("why.alt", { label })); });
  if (!good) for (const i of [0, 1]) put(`[data-why="${i}"]`, null);
  if (good && (all || !known)) {
    part(`[data-why="0"] b`).textContent = say("why.label", { label: labels[0] });
    part(`[data-why="1"] b`).textContent = say("why.label", { label: labels[1] });
  } else if (!good) {
    part(`[data-why="0"] b`).textContent = say("why");
    part(`[data-why="1"] b`).textContent = say("else");
  }
  if (good && !all) timer = setTimeout(ask, known ? 0 : STANDS_MS, answer, labels);
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
    const reply = await server.ask_maps({ ...about, kind: answer.kind, labels });
    maps.set(answer, { ...maps.get(answer), ...reply.maps });
    busy = false;
    if (!reply.error) why();
  } catch {
    busy = false;  // the answer stands without its maps
  }
}

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
fill(element);
show();
