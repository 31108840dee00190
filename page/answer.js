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
  row.innerHTML = `<span class="label"></span><span class="track"><i></i></span><span class="share"></span>`;
  row.querySelector(".label").textContent = label;
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
}

watch("value", () => { answers.upload = props.value || null; show(); });
document.addEventListener("fashion:answer", (event) => { answers[event.detail.source] = event.detail.answer; show(); });
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
