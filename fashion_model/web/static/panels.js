// The panels below the answer. One is open at a time; it asks once a prediction has stood for a moment, so
// that no answer waits for it, and keeps what it got with the answer. What stood there stays, faint, till then.
const STANDS_MS = 450;
const part = (selector) => element.querySelector(selector);
const replies = { inside: new WeakMap(), similar: new WeakMap(), compare: new WeakMap(), card: new Map() };
let open = null, prediction = null, network = props.network, timer = 0, busy = false, shown = null;

// By panel: what it asks, and how it shows the reply
const panels = {
  inside: { ask: (question) => server.ask_inside(question), show: showInside },
  similar: { ask: (question) => server.ask_similar(question), show: (reply, content) => showSimilar(reply, content, prediction.network_input) },
  compare: { ask: (question) => server.ask_compare({ ...question, yours: window.fashion.yours }), show: showCompare },
  card: { ask: () => server.ask_card({ network }), show: (reply, content) => showCard(reply, content, network) },
};
const subject = () => (open === "card" ? network : prediction);

function refresh(wait = 0) {
  clearTimeout(timer);
  if (!open) return;
  if (open === "train") return showTraining(part);
  const reply = subject() && replies[open].get(subject());
  const content = part(".content");
  part("h2").textContent = say(open);
  part(".about").textContent = open === "similar" ? say("similar.lead", { size: "…", subset: "…", each: "…", ...Object.fromEntries(Object.entries(reply?.about ?? {}).map(([key, value]) => [key, number(value)])) }) : say(`${open}.lead`);
  if (!subject()) {
    content.textContent = "";
    shown = null;
    return state(say("first"));
  }
  if (reply && reply !== shown) {
    shown = reply;
    content.textContent = "";
    panels[open].show(reply, content);
  }
  content.classList.toggle("stale", !reply);
  state(reply ? "" : say("working"));
  if (!reply) timer = setTimeout(ask, wait, open, subject());
}

function state(text) { part(".state").textContent = text; }

async function ask(panel, of) {
  if (busy) { timer = setTimeout(refresh, 100, 0); return; }
  busy = true;
  const kept = replies[panel];  // "yours" replaces that of compare meanwhile
  let reply;
  try { reply = await panels[panel].ask(prediction?.question); } catch { reply = null; }
  busy = false;
  if (panel === open && of === subject()) {
    if (["gone", "upload"].includes(reply?.error?.key)) emit("gone");
    else if (reply?.error?.key === "forgotten network") emit("forgotten", reply.error);
    else if (!reply || reply.error) state(reply ? translated(reply.error) : say("failed"));
    else { kept.set(of, reply); refresh(); }
  } else {
    if (reply && !reply.error) kept.set(of, reply);
    refresh();
  }
}

function choose(panel) {
  open = panel;
  shown = null;
  part(".content").textContent = "";
  for (const button of element.querySelectorAll("button[data-panel]")) button.setAttribute("aria-expanded", button.dataset.panel === open);
  part(".panel").hidden = !open;
  part(".panel").dataset.panel = open ?? "";
  refresh();
}

for (const button of element.querySelectorAll("button[data-panel]")) {
  button.addEventListener("click", () => {
    choose(button.dataset.panel === open ? null : button.dataset.panel);
    if (open) part(".panel").scrollIntoView({ block: "nearest", behavior: calm.matches ? "instant" : "smooth" });
  });
}
document.addEventListener("fashion:shown", (event) => {
  prediction = event.detail.prediction;
  if (open && open !== "card" && open !== "train") refresh(STANDS_MS);
});
document.addEventListener("fashion:yours", () => {
  replies.compare = new WeakMap();
  if (open === "compare") refresh(STANDS_MS);
});
document.addEventListener("fashion:network", (event) => {
  network = event.detail;
  if (open === "card") refresh();
});
fill(element);
