// What the panels show, each from the server's reply
const { say, named, translated, translatedMessage, fill, emit, number, percent } = window.fashion;
const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

function make(tag, name, text, ...children) {
  const node = document.createElement(tag);
  if (name) node.className = name;
  if (text !== undefined && text !== null) node.textContent = text;
  node.append(...children);
  return node;
}
function draw(tag, values, text) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
  if (text !== undefined) node.textContent = text;
  return node;
}
const image = (url, alt) => Object.assign(document.createElement("img"), { src: url, alt });
const english = (node) => Object.assign(node, { lang: "en" });

function table(name, head, rows) {
  const top = make("tr", "", null, ...head.map((text) => Object.assign(make("th", "", text), { scope: "col" })));
  const body = rows.map(([first, ...rest]) => make("tr", "", null, Object.assign(make("th", "", first), { scope: "row" }), ...rest.map((cell) => (cell instanceof Node ? cell : make("td", "", cell)))));
  return make("table", name, null, make("thead", "", null, top), make("tbody", "", null, ...body));
}

// What a network reads, by the shape of its input: torch.Size([1, channels, height, width])
function inputNote({ shape }) {
  const [, channels, height, width] = shape.match(/\d+/g);
  return say({ 1: "input.gray", 2: "input.lines" }[channels] ?? "input.color", { width, height });
}

// Every step: its line of code, a sentence, what the module is and the shape it makes; and all lines as a script
function showInside(reply, content) {
  const list = make("div", "steps");
  for (const step of reply.steps) {
    const title = say(`title.${step.title}`, {}, step.title);
    const facts = make("p", "facts-line", null, step.module ? english(make("code", "module", step.module)) : make("code", "module", inputNote(step)), english(make("code", "shape", step.shape)));
    const text = make("div", "text", null, make("h3", "", title), english(make("code", "line", step.code)), make("p", "message", translatedMessage(step.message)), facts);
    if (step.name === "softmax") text.append(showSoftmax(reply));
    list.append(make("section", "step", null, step.name === "argmax" ? make("i") : image(step.picture, say("put out", { title })), text));
    if (["ReLU", "Convolution"].includes(step.title) && !list.querySelector(".units")) {
      const units = reply.units.map((unit) => image(unit.picture, say("unit", unit)));
      text.append(make("p", "message", say(reply.weights ? "templates" : "maps")), make("div", "units", null, ...units));
    }
  }
  content.append(showScript(reply), list);
}

// The whole as a script, to copy; where the picture is too large for it, with a file that goes beside it
function showScript({ script, input }) {
  const lines = number(script.trimEnd().split("\n").length);
  const code = Object.assign(english(make("pre", "", script)), { tabIndex: 0, role: "region", ariaLabel: say("script", { lines }) });
  const copy = Object.assign(make("button", "", say("script.copy")), { type: "button" }), copied = make("span", "copied");
  copied.setAttribute("role", "status");
  copy.addEventListener("click", async () => {
    let key = "script.copied";
    try { await navigator.clipboard.writeText(script); } catch {
      getSelection().selectAllChildren(code);
      key = "script.select";
    }
    copied.textContent = say(key);
  });
  const file = input && Object.assign(make("a", "", say("script.save")), { href: `data:application/octet-stream;base64,${input}`, download: "input.npy" });
  return make("details", "script", null,
    make("summary", "", say("script", { lines })),
    make("p", "message", say(input ? "script.file" : "script.note")),
    make("p", "buttons", null, copy, ...(file ? [file] : []), copied),
    code);
}

function showSoftmax({ softmax, temperature }) {
  const rows = softmax.slice(0, 3).map((term) => {
    const scaled = temperature === 1 ? term.logit.toFixed(3) : `${term.logit.toFixed(3)} ÷ ${temperature.toFixed(3)} = ${term.scaled.toFixed(3)}`;
    const cells = [scaled, `e^${term.scaled.toFixed(3)} = ${term.exponential.toFixed(3)}`, `÷ ${term.total.toFixed(3)} = ${term.probability.toFixed(5)}`];
    return make("tr", "", null, Object.assign(make("th", "", named(term.label)), { scope: "row" }), ...cells.map((cell) => make("td", "", cell)));
  });
  return Object.assign(make("table", "sum", null, make("tbody", "", null, ...rows)), { tabIndex: 0 });
}

function showSimilar({ similar }, content, input) {
  const figure = (picture, alt, ...lines) => make("figure", "", null, image(picture, alt), make("figcaption", "", null, make("b", "", lines[0]), ...lines.slice(1).map((line) => make("span", "", line))));
  const yours = figure(input, say("input"), say("similar.yours"));
  yours.classList.add("yours");
  const found = similar.map(({ pixels: picture, label, distance, index }) => {
    const values = { label, index: number(index), distance: distance.toFixed(3) };
    return figure(picture, say("similar.alt", values), named(label), say("similar.distance", values), say("similar.number", values));
  });
  content.append(make("div", "neighbours", null, yours, ...found));
}

function showCompare({ networks: found }, content) {
  const networks = found.map((each) => ({ ...each, confidences: Object.entries(each.confidences) }));
  const first = networks.map(({ confidences }) => confidences[0][0]);
  const title = (name) => say(`network.${name}`, {}, name);
  const agree = first.every((label) => label === first[0]);
  const answers = networks.map(({ network }, i) => `${title(network)}: ${named(first[i])}`).join(say("comma"));
  content.append(make("p", "verdict-line", agree ? say("compare.agree", { label: first[0] }) : say("compare.differ", { answers })));
  const cards = networks.map((each) => {
    const bars = each.confidences.slice(0, 4).map(([label, share], i) => {
      const fill = make("i");
      fill.style.width = `${share * 100}%`;
      return make("li", i ? "" : "first", null, make("span", "label", named(label)), make("span", "track", null, fill), make("span", "share", percent(share, 1)));
    });
    const fact = (value, text) => make("div", "", null, make("dt", "", text), make("dd", "", value));
    return make("section", "network", null,
      make("h3", "", title(each.network), make("code", "", each.architecture)),
      make("ol", "bars", null, ...bars),
      make("dl", "facts", null,
        fact(number(each.parameters), say("compare.parameters")),
        fact(say("compare.ms", { ms: each.milliseconds.toFixed(1) }), say("compare.time")),
        fact(each.accuracy === null ? "–" : percent(each.accuracy, each.kind === "dataset" ? 2 : 1), say(`compare.accuracy.${each.kind}`))));
  });
  content.append(make("div", "networks", null, ...cards));
}
