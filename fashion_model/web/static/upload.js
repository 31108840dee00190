// The Upload tab: one picture from a file, the clipboard, the camera or by dropping it; where its garment was
// tapped; and how it is to be read. Whatever it is goes to the server, which judges by content.
const PATIENCE_MS = 120000;  // a slow line needs its time for 20 MB
const { say, fill, emit, requests, notify, clipboardPicture, toDataFile } = window.fashion;
const part = (selector) => element.querySelector(selector);
const preview = part(".preview"), uploads = new WeakMap();  // File -> the path of its upload
let file = null, kind = "auto", tap = null, network = window.fashion.network ?? props.network, segmented = null;

for (const name of props.kinds) {
  const label = document.createElement("label"), radio = document.createElement("input");
  Object.assign(radio, { type: "radio", name: "kind", value: name, checked: name === kind });
  label.append(radio, say(`kind.${name}`));
  part(".kind").append(label);
}
for (const [name, picture] of Object.entries(props.examples)) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  Object.assign(button.dataset, { example: name, sayLabel: `example.${name}` });
  button.append(Object.assign(document.createElement("img"), { alt: "", src: picture }));
  part(".gallery").append(button);
}

const tooLarge = () => ({ error: { key: "large", values: { most: props.megabytes } } });

async function send({ file, kind, network, tap }) {
  if (file.size > props.megabytes * 2 ** 20) return tooLarge();
  for (let tries = 2; tries; tries--) {
    try {
      if (!uploads.has(file)) uploads.set(file, (await upload(file)).path);
    } catch (error) {
      if (/HTTP 413/.test(error.message)) return { error: { key: "proxy" } };  // take() refuses what we would
      throw error;
    }
    const path = uploads.get(file), image = { path, orig_name: file.name, meta: { _type: "gradio.FileData" } };
    const question = { image, kind, network, tap }, reply = await server.read_picture(question);
    if (!["gone", "upload"].includes(reply?.error?.key)) return { ...reply, question };
    uploads.delete(file);  // the server has deleted it, or was started anew: it gets the file once more
  }
  return { error: { key: "gone" } };
}

const questions = requests({
  state: () => ({ file, kind, network, tap }),
  send,
  show: (prediction) => emit("prediction", { tab: "upload", prediction }),
  patience: PATIENCE_MS,
});

function display() {
  const unseen = Boolean(file) && preview.hidden;
  part(".upload").dataset.state = file ? "picture" : "empty";
  part(".invitation").hidden = Boolean(file);
  part(".remove").hidden = !file;
  part(".unseen").hidden = !unseen;
  part(".tap").hidden = !file || kind === "drawing" || unseen;
}

function show(url) {
  preview.hidden = !url;
  if (url) preview.src = url;
  else preview.removeAttribute("src");
  display();
}

function take(chosen) {
  emit("camera-off");
  questions.cancel();
  URL.revokeObjectURL(preview.src);
  [file, tap, segmented] = [chosen, null, null];
  part("input[type=file]").value = "";  // the same file once more is a choice too
  if (chosen && chosen.size > props.megabytes * 2 ** 20) {
    show(null);
    return emit("prediction", { tab: "upload", prediction: tooLarge() });
  }
  show(chosen && URL.createObjectURL(chosen));
  if (!chosen) return emit("prediction", { tab: "upload", prediction: null });
  emit("reading");
  questions.changed();
}

function takePending() {  // pasted or dropped somewhere on the page
  const pending = window.fashion.takeFile();
  if (pending) take(pending);
}

preview.addEventListener("error", () => show(segmented));  // HEIC, TIFF: what was cut out, if anything, is a picture of it
document.addEventListener("fashion:shown", ({ detail: { tab: open, prediction } }) => {
  if (open !== "upload" || !file) return;
  segmented = prediction?.segmented ?? null;
  preview.alt = prediction ? say("picture") : "";
  if (segmented && (preview.hidden || preview.src.startsWith("data:"))) show(segmented);
});

const actions = {
  choose: () => part("input[type=file]").click(),
  file: () => part("input[type=file]").click(),
  remove: () => take(null),
  paste: async () => { const picture = await clipboardPicture(); if (picture) take(picture); },
};
element.addEventListener("click", (event) => {
  const action = actions[event.target.closest("button")?.dataset.do];
  if (action) notify("");
  action?.();
  const example = event.target.closest("[data-example]")?.querySelector("img");
  if (example) toDataFile(example.src, `${example.parentElement.dataset.example}.png`).then(take);
});
part("input[type=file]").addEventListener("change", (event) => { if (event.target.files[0]) take(event.target.files[0]); });
part(".kind").addEventListener("change", (event) => {
  kind = event.target.value;
  display();
  if (file) questions.changed();
});
document.addEventListener("fashion:network", (event) => { network = event.detail; if (file) questions.changed(); });
document.addEventListener("fashion:repeat", (event) => { if (event.detail === "upload" && file) questions.repeat(); });
document.addEventListener("fashion:file", takePending);

// A tap on the upload or on the cut-out says where the garment is: x and y are shares of the picture's
// width and height. The picture may be smaller than its box (object-fit).
document.addEventListener("click", (event) => {
  const image = event.target.closest?.("#picture .preview, .segmented img");
  if (!image?.naturalWidth || !file || kind === "drawing" || !element.offsetParent) return;
  const box = image.getBoundingClientRect(), { naturalWidth: width, naturalHeight: height } = image;
  const scale = Math.min(box.width / width, box.height / height);
  const x = (event.clientX - box.left - box.width / 2) / (width * scale) + 0.5;
  const y = (event.clientY - box.top - box.height / 2) / (height * scale) + 0.5;
  if (x < 0 || x > 1 || y < 0 || y > 1) return;
  tap = { x, y };
  questions.changed();
});
fill(element);
display();
takePending();
