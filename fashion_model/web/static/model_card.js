// The model card: all from the checkpoints and from the evaluation's saved results. One part for each network,
// which says what it is and how right; the rest is folded.
function showCard({ networks }, content) {
  content.append(make("div", "cards", null, ...networks.map(showNetwork)));
}

function showNetwork(network) {
  const { card, kinds, parameters, results } = network, dataset = results.dataset;
  const evaluated = kinds.filter((kind) => overall(kind, network));
  const sentences = evaluated.map((kind) => say(`card.right.${kind}`, overall(kind, network)));
  if (!sentences.length) sentences.push(say("card.unevaluated"));
  const what = say(`card.is.${card.architecture}`, {}, card.architecture);
  const [best] = evaluated, { accuracy, ece } = best ? overall(best, network) : {};
  const facts = [[accuracy, "card.fact.right"], [number(parameters), "compare.parameters"], [ece, "card.fact.ece"]].filter(([value]) => value);
  const folded = evaluated.flatMap((kind) => (results[kind] ? foldedResults(kind, results[kind]) : []));
  return make("section", "network", null,
    make("h3", "", kinds.map((kind) => say(`card.kind.${kind}`)).join(", ")),
    make("p", "what", [what, ...sentences].join(" ")),
    make("dl", "facts", null, ...facts.map(([value, key]) => fact(value, say(key)))),
    ...folded,
    fold("data", "card.data", training(card), origins(card)),
    fold("layers", "card.layers", note(say("card.layers.note", { count: number(parameters) })), layerTable(network)),
    fold("print", "card.print", Object.assign(english(make("pre", "", network.print)), { tabIndex: 0 })),
  );
}

const note = (text) => make("p", "note", text);
const fact = (value, text) => make("div", "", null, make("dt", "", text), make("dd", "", value));
const fold = (name, key, ...children) => make("details", name, null, make("summary", "", say(key)), ...children);

// How right a network is about pictures of a kind; nothing where it was not evaluated
function overall(kind, { card, results }) {
  const [score] = kind === "dataset" ? [results.dataset ?? card.accuracy] : results[kind]?.scores ?? [];
  const accuracy = score?.accuracy ?? score?.test;
  if (!Number.isFinite(accuracy)) return null;
  const digits = kind === "dataset" ? 2 : 1;
  return { accuracy: percent(accuracy, digits), count: number(score.count ?? 10000), ece: Number.isFinite(score.ece) ? percent(score.ece, 1) : null };
}

function foldedResults(kind, results) {
  if (kind === "dataset") return [
    fold("fails", "card.fails", confusions(results)),
    fold("classes", "card.classes", note(say("card.classes.note")), classTable(results)),
    fold("confusion", "card.confusion", note(say("card.confusion.note")), confusion(results)),
    fold("calibration", "card.calibration", note(say("card.calibration.note")), calibration(results.bins)),
  ];
  const [{ bins }, ...sources] = results.scores;
  const parts = [fold("fails", "card.fails", hardest(results.hardest, sources))];
  if (bins) parts.push(fold("calibration", "card.calibration", note(say("card.calibration.note")), calibration(bins)));
  return parts;
}

function origins({ start, data = [] }) {
  const texts = start ? [...data, start] : data;
  return english(make("ul", "", null, ...texts.map((text) => make("li", "", text))));
}

function training({ pictures, device, versions, epochs, seconds }) {
  const time = seconds && say("card.minutes", { count: number(Math.round(seconds / 60)) });
  const values = { epochs, clean: pictures && number(pictures.clean), extra: pictures && number(pictures.extra), seconds: time, device, torch: versions?.torch };
  return Object.values(values).some((value) => value === undefined) ? "" : note(say("card.training", values));
}

function layerTable({ layers }) {
  const learned = layers.filter((layer) => layer.parameters);
  const rows = learned.map((layer) => [english(make("code", "", layer.module)), number(layer.parameters)].map((cell, i) => (i ? make("td", "number", cell) : cell)));
  const made = table("layer-table", [say("card.layer"), say("card.parameters")], rows.map(([, count]) => ["", count]));
  made.querySelectorAll("tbody th").forEach((cell, i) => cell.append(rows[i][0]));
  return made;
}

function classTable({ classes }) {
  const meter = (share) => {
    const bar = make("i");
    bar.style.width = `${share * 100}%`;
    return make("td", "meter", null, make("span", "track", null, bar), make("span", "share", percent(share, 1)));
  };
  const rows = classes.map(({ label, recall, precision }) => [named(label), meter(recall), make("td", "number", percent(precision, 1))]);
  return table("class-table", [say("card.class"), say("card.recall"), say("card.precision")], rows);
}

function confusion({ confusion: matrix, classes }) {
  const names = classes.map(({ label }) => named(label));
  const rows = matrix.map((row, truth) => [names[truth], ...row.map((count, answered) => {
    const cell = make("td", truth === answered ? "right" : "", count ? number(count) : "");
    const share = Math.sqrt(count / Math.max(1, classes[truth].count));
    cell.style.setProperty("--share", `${Math.round(share * 100)}%`);
    if (share > 0.6) cell.classList.add("strong");
    return cell;
  })]);
  return Object.assign(make("div", "scroll", null, table("matrix", [say("card.is"), ...names], rows)), { tabIndex: 0, role: "region", ariaLabel: say("card.confusion") });
}

function calibration(bins) {
  const size = 240, left = 56, bottom = 36;
  const draw = (tag, values, text) => {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [key, value] of Object.entries(values)) node.setAttribute(key, value);
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const x = (share) => left + share * size, y = (share) => 8 + (1 - share) * size;
  const svg = draw("svg", { viewBox: `0 0 ${left + size + 24} ${8 + size + bottom}`, role: "img", "aria-label": say("card.calibration.alt"), class: "curve" });
  for (const share of [0, 0.5, 1]) {
    svg.append(draw("line", { x1: left, x2: left + size, y1: y(share), y2: y(share), class: "grid" }));
    svg.append(draw("text", { x: left - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share)));
    svg.append(draw("text", { x: x(share), y: y(0) + 16, "text-anchor": "middle" }, percent(share)));
  }
  for (const bin of bins.filter(({ count }) => count)) {
    const bar = draw("rect", { x: x(bin.low) + 1, y: y(bin.accuracy), width: (bin.high - bin.low) * size - 2, height: y(0) - y(bin.accuracy) });
    bar.append(draw("title", {}, `${percent(bin.confidence, 1)} → ${percent(bin.accuracy, 1)} (${number(bin.count)})`));
    svg.append(bar, draw("circle", { cx: x(bin.confidence), cy: y(bin.accuracy), r: 3 }));
  }
  svg.append(draw("line", { x1: x(0), y1: y(0), x2: x(1), y2: y(1), class: "ideal" }));
  svg.append(draw("text", { x: x(0.5), y: y(0) + 30, "text-anchor": "middle" }, say("card.confidence")));
  svg.append(draw("text", { x: 0, y: 0, transform: `translate(10 ${y(0.5) + 20}) rotate(-90)`, class: "side" }, say("card.accuracy")));
  return svg;
}

// What was taken for what, with the surest of these mistakes
function confusions({ confused }) {
  return make("ul", "confusions", null, ...confused.map(({ examples = [], ...pair }) => {
    const pictures = examples.map((url) => image(url, say("card.example", pair)));
    return make("li", "", null, ...pictures, make("span", "", say("card.confused", { ...pair, count: number(pair.count), of: number(pair.of) })));
  }));
}

// The sources of the pictures, and the labels that are least often named rightly
function hardest(labels, sources) {
  const source = (name) => say(`source.${name}`, {}, name);
  const values = (each) => ({ ...each, source: source(each.source ?? each.name), accuracy: percent(each.accuracy), count: number(each.count), answer: each.mistake });
  const line = (key, each) => make("li", "", say(key, values(each)));
  return make("ul", "", null,
    ...sources.filter(({ accuracy }) => Number.isFinite(accuracy)).map((each) => line("card.source", each)),
    ...labels.map((each) => line(each.mistake ? "card.hardest" : "card.hard", each)));
}
