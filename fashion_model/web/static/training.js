// The panel in which a visitor trains the tutorial's network. What they trained is known to the server by a
// name, which this page keeps until its tab is closed, and announces as "yours".
const showTraining = (() => {
const POLL_MS = 250, LOST_MS = 2000, ANSWER_MS = 700, KEPT = "fashion.yours";
const trainer = make("div", "trainer");
const find = (selector) => trainer.querySelector(selector);
trainer.innerHTML = `
  <form>
    <fieldset>
      <label><span data-say="train.optimizer"></span><select name="optimizer"><option value="SGD" data-say="train.sgd"></option><option selected>Adam</option></select></label>
      <label><span data-say="train.rate"></span><select name="learning_rate"><option>0.0001</option><option selected>0.001</option><option>0.01</option><option>0.1</option><option>1</option></select></label>
      <label><span data-say="train.batch"></span><select name="batch_size"><option>8</option><option>32</option><option selected>64</option><option>256</option></select></label>
      <label><span data-say="train.epochs"></span><input name="epochs" type="number" min="1" max="100" step="1" value="10" required></label>
      <label class="images"><span data-say="train.images"></span><select name="images"></select></label>
    </fieldset>
    <div class="buttons"><button type="submit" data-say="train.start"></button><button type="button" data-do="stop" disabled data-say="train.stop"></button><button type="button" data-do="answer" data-say="train.answer"></button></div>
  </form>
  <div class="watch">
    <div class="track" role="progressbar" data-say-label="train.progress" aria-valuemin="0" aria-valuemax="100" aria-valuenow="0"><i></i></div>
    <p class="stand" role="status"></p>
    <p class="now"></p>
    <div class="curves"></div>
    <p class="key"><span class="accuracy" data-say="train.accuracy"></span><span class="loss" data-say="train.loss"></span></p>
  </div>
  <div class="code"><h3 data-say="train.loop"></h3><pre class="loop" tabindex="0" lang="en"></pre></div>
  <div class="along">
    <h3 data-say="train.along"></h3>
    <p data-say="train.along.note"></p>
    <div class="buttons"><button type="button" data-do="take" disabled data-say="train.take"></button><button type="button" data-do="bring" data-say="train.bring"></button></div>
    <input type="file" accept=".safetensors" data-say-label="train.bring" tabindex="-1" hidden>
    <pre tabindex="0" lang="en">import fashion_model

classifier = fashion_model.load("my-network.safetensors")
print(classifier.predict("shirt.png"))</pre>
  </div>`;
for (const name of props.images) find("[name=images]").append(Object.assign(make("option", "", say(`train.images.${name}`)), { value: name }));
fill(trainer);

let replacing = false;  // while the server makes a network of theirs that takes the place of the one before
let training = null, answeredAt = 0, polling = 0, tab = "draw";  // training: the server's last report on it
const running = () => ["waiting", "training"].includes(training?.state);

function chosenOptions() {
  const values = Object.fromEntries(new FormData(find("form")));
  for (const name of ["learning_rate", "batch_size", "epochs"]) values[name] = Number(values[name]);
  return values;
}

// The loop, with what is chosen marked in it; a field that is disabled keeps what it says
function showLoop() {
  const value = (name) => find(`[name=${name}]`).value;
  const parts = props.loop.split(/(\{\w+\})/).map((text) => (text.startsWith("{") ? make("mark", "", value(text.slice(1, -1))) : text));
  find(".loop").replaceChildren(...parts);
}

// Accuracy from 0 to 100% on the left, loss from 0 to the most there was on the right, over the steps
function curves(points) {
  const [left, top, height] = [44, 10, 170], steps = points[0]?.steps ?? 1;
  const width = (find(".curves").clientWidth || 500) - 2 * left;  // a unit is a pixel: text stays as large
  const most = Math.max(2.5, ...points.map(({ loss }) => loss)), last = points.at(-1);
  const x = (step) => left + (step / steps) * width, y = (share) => top + (1 - share) * height;
  const label = last ? say("train.curve", { accuracy: percent(last.accuracy, 1), loss: last.loss.toFixed(2) }) : say("train.curve.empty");
  const svg = draw("svg", { viewBox: `0 0 ${2 * left + width} ${top + height + 24}`, role: "img", "aria-label": label, class: "curve" });
  for (const share of [0, 0.5, 1]) {
    svg.append(draw("line", { x1: left, x2: left + width, y1: y(share), y2: y(share), class: "grid" }));
    svg.append(draw("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share)));
    svg.append(draw("text", { x: left + width + 6, y: y(share) + 4 }, number(share * most)));
  }
  for (const [name, share] of [["loss", ({ loss }) => loss / most], ["accuracy", ({ accuracy }) => accuracy]]) {
    const places = points.map((point) => [x(point.step).toFixed(1), y(share(point)).toFixed(1)]);
    svg.append(draw("polyline", { class: name, points: places.join(" ") }));
    if (last) svg.append(draw("circle", { class: name, cx: places.at(-1)[0], cy: places.at(-1)[1], r: 3.5 }));
  }
  if (last) svg.append(draw("text", { x: left + width / 2, y: top + height + 18, "text-anchor": "middle" }, say("train.steps", { steps: number(steps) })));
  return svg;
}

function stand({ state, place, points, failure }) {
  if (state === "failed") return failure ? translated(failure) : say("train.failed");
  if (state === "waiting") return say("train.waiting", { place });
  if (state === "training") return say(points.length ? "train.training" : "train.starting");
  const last = points.at(-1);
  if (!last) return say(state === "brought" ? "train.brought" : "train.untrained");
  const values = { accuracy: percent(last.accuracy, 1) };
  if (state === "stopped") return say("train.stopped", values);
  return say(last.step < last.steps ? "train.late" : "train.trained", values);
}

const tell = (text) => { if (find(".stand").textContent !== text) find(".stand").textContent = text; };

function display() {
  const points = training?.points ?? [], last = points.at(-1), share = last ? last.step / last.steps : 0;
  tell(training ? stand(training) : say("train.untrained"));
  find(".now").textContent = last ? say("train.now", { epoch: last.epoch, epochs: training.options.epochs, accuracy: percent(last.accuracy, 1), loss: last.loss.toFixed(2) }) : "";
  find(".track i").style.width = percent(share, 1);
  find("[role=progressbar]").setAttribute("aria-valuenow", Math.round(share * 100));
  find(".curves").replaceChildren(curves(points));
  find("fieldset").disabled = find("[type=submit]").disabled = running();
  find("[data-do=stop]").disabled = !running();
  find("[data-do=take]").disabled = !training;
}

// What the server says of the network: shown, kept, announced; while it trains, it answers anew by and by
function take(report) {
  clearTimeout(polling);
  if (report.error?.key === "forgotten network") return forget(report.error);
  if (report.error) {
    if (running()) polling = setTimeout(poll, LOST_MS);
    return tell(translated(report.error));
  }
  const before = training, renamed = report.network !== window.fashion.yours;
  training = report;
  sessionStorage.setItem(KEPT, report.network);
  window.fashion.yours = report.network;
  display();
  const grown = report.points.length !== before?.points.length || before?.state !== report.state;
  if (renamed || (grown && (!running() || performance.now() - answeredAt > ANSWER_MS))) {
    answeredAt = performance.now();
    emit("yours", { network: report.network });
    if (window.fashion.network === report.network) emit("repeat", tab);
  }
  if (running()) polling = setTimeout(poll, POLL_MS);
}
async function poll() {
  const of = window.fashion.yours, report = await request("ask_training", {});
  if (of === window.fashion.yours && !replacing) take(report);  // else it tells of one that was replaced
}

async function replace(name, question) {
  if (replacing) return;  // a double click
  replacing = true;
  const report = await request(name, question);
  replacing = false;
  take(report);
}

async function request(name, question) {
  try {
    return (await server[name]({ network: window.fashion.yours, ...question })) ?? { error: { key: "silent" } };
  } catch {
    return { error: { key: "silent" } };
  }
}

function forget(error) {
  clearTimeout(polling);
  training = null;
  sessionStorage.removeItem(KEPT);
  window.fashion.yours = null;
  emit("yours", { network: null });
  display();
  if (error) window.fashion.notify(translated(error));
}

const work = {
  stop: async () => take(await request("stop_training", {})),
  bring: () => find("[type=file]").click(),
  answer: () => {
    emit("yours", { network: window.fashion.yours, chosen: true });
    document.querySelector("#stage").scrollIntoView({ block: "start", behavior: calm.matches ? "instant" : "smooth" });
  },
  take: async () => {
    const { file, error } = await request("download_network", {});
    if (error) return take({ error });
    const body = Uint8Array.from(atob(file), (character) => character.charCodeAt(0));
    const url = URL.createObjectURL(new Blob([body], { type: "application/octet-stream" }));
    Object.assign(document.createElement("a"), { href: url, download: "my-network.safetensors" }).click();
    setTimeout(() => URL.revokeObjectURL(url), 60000);
  },
};
trainer.addEventListener("click", (event) => work[event.target.closest("button")?.dataset.do]?.());
find("form").addEventListener("input", showLoop);
find("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await replace("start_training", { options: chosenOptions() });
});
find("[type=file]").addEventListener("change", async ({ target }) => {
  const [file] = target.files;
  target.value = "";
  let path;
  try { path = (await upload(file)).path; } catch { return tell(say("error.no tutorial network")); }
  await replace("upload_network", { file: { path, meta: { _type: "gradio.FileData" } } });
});

document.addEventListener("fashion:shown", (event) => { tab = event.detail.tab; });
document.addEventListener("fashion:forgotten", (event) => forget(event.detail));
document.addEventListener("fashion:prediction", ({ detail: { prediction } }) => {
  const { error, question } = prediction ?? {};
  if (error?.key === "forgotten network" && question?.network === window.fashion.yours) forget(error);
});
showLoop();
display();
window.fashion.yours = sessionStorage.getItem(KEPT);
if (window.fashion.yours) poll();

// A network that nobody has trained yet is one to look at too
return (panel) => {
  panel("h2").textContent = say("train");
  panel(".about").textContent = say("train.lead");
  panel(".state").textContent = "";
  panel(".content").classList.remove("stale");
  panel(".content").replaceChildren(trainer);
  display();
  if (window.fashion.yours) return;
  window.fashion.yours = "untrained";
  emit("yours", { network: "untrained" });
};
})();
