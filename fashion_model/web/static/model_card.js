// The model card in three glances: what each network is and how right, in a sentence and three numbers; where it
// fails, in pictures; and the rest, folded. Where the pictures came from is said once, for all networks.
const SHOWN = 4;  // confusions, or labels, of a network

function showCard({ networks }, content) {
  content.append(make("div", "cards", null, ...networks.map(showNetwork), fold("data", "card.data", origins(networks))));
}

function showNetwork(network) {
  const { card, kinds, parameters, results } = network;
  const evaluated = kinds.filter((kind) => overall(kind, network));
  const facts = evaluated.map((kind) => [overall(kind, network).accuracy, say(`card.right.${kind}`, overall(kind, network))]);
  facts.push([number(parameters), say("compare.parameters")]);
  const { ece } = overall(evaluated[0], network) ?? {};
  if (ece) facts.push([ece, say("card.fact.ece")]);
  const what = say(`card.is.${card.architecture}`, {}, card.architecture);
  const tested = evaluated.filter((kind) => results[kind]);
  const failures = tested.map((kind) => showFailures(kind, results[kind], Math.ceil(SHOWN / tested.length)));
  if (tested.some((kind) => kind !== "dataset")) failures.push(note(say("card.private")));
  return make("section", "network", null,
    make("div", "glance", null,
      make("h3", "", kinds.map((kind) => say(`card.kind.${kind}`)).join(say("comma"))),
      make("p", "what", evaluated.length ? what : `${what} ${say("card.unevaluated")}`),
      make("dl", "facts", null, ...facts.slice(0, 3).map(([value, text]) => fact(value, text)))),
    make("div", "failures", null, ...failures),
    fold("rest", "card.more", ...rest(network, evaluated)),
  );
}

// All that is folded: the figures of each kind, and the network itself
function rest(network, evaluated) {
  const { card, kinds, parameters, results } = network, parts = [];
  for (const kind of evaluated.filter((each) => results[each])) {
    const title = (key) => (evaluated.length > 1 ? `${say(key)}: ${say(`card.kind.${kind}`)}` : say(key));
    if (kind === "dataset") parts.push(
      titled("classes", title("card.classes"), note(say("card.classes.note")), classTable(results[kind])),
      titled("confusion", title("card.confusion"), note(say("card.confusion.note")), confusion(results[kind])));
    else parts.push(titled("sources", title("card.sources"), sources(results[kind].scores)));
    const { bins } = results[kind].scores?.[0] ?? results[kind];
    if (bins) parts.push(titled("calibration", title("card.calibration"), note(say("card.calibration.note")), calibration(bins)));
  }
  return [...parts,
    fold("layers", "card.layers", training(card), note(say("card.layers.note", { count: number(parameters) })), layerTable(network)),
    fold("print", "card.print", Object.assign(english(make("pre", "", network.print)), { tabIndex: 0 }))];
}

const note = (text) => make("p", "note", text);
const fact = (value, text) => make("div", "", null, make("dt", "", text), make("dd", "", value));
const titled = (name, title, ...children) => make("details", name, null, make("summary", "", title), ...children);
const fold = (name, key, ...children) => titled(name, say(key), ...children);

// How right a network is about pictures of a kind; nothing where it was not evaluated
function overall(kind, { card, results }) {
  const [score] = kind === "dataset" ? [results.dataset ?? card.accuracy] : results[kind]?.scores ?? [];
  const accuracy = score?.accuracy ?? score?.test;
  if (!Number.isFinite(accuracy)) return null;
  const digits = kind === "dataset" ? 2 : 1;
  return { accuracy: percent(accuracy, digits), count: number(score.count ?? 10000), ece: Number.isFinite(score.ece) ? percent(score.ece, 1) : null };
}

// What all networks learned from, once, each with its license and the kinds of pictures whose networks did
function origins(networks) {
  const kindsOf = new Map();
  for (const { card, kinds } of networks) for (const text of [...(card.data ?? []), ...(card.start ? [card.start] : []), ...(card.icon_sets ?? [])]) {
    kindsOf.set(text, [...(kindsOf.get(text) ?? []), ...kinds]);
  }
  const all = networks.flatMap(({ kinds }) => kinds).length;
  const icons = [...kindsOf.keys()].filter((text) => text.startsWith("icon ("));
  const items = [...kindsOf].filter(([text]) => !icons.includes(text)).map(([text, kinds]) => {
    const used = kinds.length < all ? kinds.map((kind) => say(`card.kind.${kind}`)).join(say("comma")) : say("card.all");
    return make("li", "", null, english(make("span", "", text)), make("span", "used", used));
  });
  const names = icons.map((text) => text.slice(6, -1)).join("; ");
  return make("div", "origins", null, make("ul", "", null, ...items), ...(names ? [note(say("card.icons")), english(make("p", "note", names))] : []));
}

function training({ device, versions, epochs, seconds }) {
  const time = seconds && say("card.minutes", { count: number(Math.round(seconds / 60)) });
  const values = { epochs, seconds: time, device, torch: versions?.torch };
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

// Where it fails: what was taken for what, with the surest of these mistakes; people's own pictures are not part of
// this project, so made-up ones stand for them that the network gets wrong in the same way.
function showFailures(kind, results, count) {
  return make("div", "fails", null, make("h4", "", say(`card.fails.${kind}`)), confusions(results.confused.slice(0, count)));
}

function confusions(confused) {
  return make("ul", "confusions", null, ...confused.map(({ examples = [], ...pair }) => {
    const pictures = examples.map((url) => image(url, say("card.example", pair)));
    const text = make("span", "", null, make("b", "", say("card.confused", pair)), make("span", "count", say("card.confused.count", { count: number(pair.count), of: number(pair.of) })));
    return make("li", "", null, make("span", "pictures", null, ...pictures), text);
  }));
}

const sources = ([, ...scores]) => make("ul", "", null, ...scores.filter(({ accuracy }) => Number.isFinite(accuracy)).map((each) => make("li", "", say("card.source", { source: say(`source.${each.name}`, {}, each.name), accuracy: percent(each.accuracy), count: number(each.count) }))));
