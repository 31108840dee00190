// The model card: all from the checkpoint and from the evaluation's saved results
function showCard(reply, content, network) {
  const { card, people_card: forPeople, closer_cards: closers, dataset, people } = reply;
  const block = (name, key, ...children) => make("section", name, null, make("h3", "", say(key)), ...children);
  const note = (text) => make("p", "note", text);
  const parts = [
    block("data", "card.data", training(card), origins(card), ...(forPeople ? [note(say("card.others")), training(forPeople), origins(forPeople)] : []),
      ...closers.flatMap((closer) => [note(say(`card.${closer.architecture}`)), training(closer), origins(closer)])),
    block("print", "card.print", Object.assign(english(make("pre", "", reply.print)), { tabIndex: 0 })),
    block("layers", "card.layers", note(say("card.layers.note", { count: number(reply.parameters) })), layerTable(reply)),
  ];
  if (dataset) {
    const overall = { accuracy: percent(dataset.accuracy, 2), count: number(dataset.count), ece: percent(dataset.ece, 2) };
    parts.splice(1, 0, block("fails", "card.fails", ...failures(dataset, people)));
    parts.splice(2, 0,
      block("classes", "card.classes", note(say("card.classes.note", overall)), classTable(dataset)),
      block("calibration", "card.calibration", note(say("card.calibration.note")), calibration(dataset.bins)),
      block("confusion", "card.confusion", note(say("card.confusion.note")), confusion(dataset)),
    );
  } else parts.push(make("section", "unevaluated", null, note(say("card.unevaluated", { network }))));
  content.append(make("div", "card", null, ...parts));
}

function origins({ data = [] }) {
  return english(make("ul", "", null, ...data.map((text) => make("li", "", text))));
}

function training({ before = [], pictures, device, versions, ...last }) {
  const runs = [...before, last]; // a run may start from an earlier one's weights
  const sum = (key) => (runs.every((run) => run[key]) ? runs.reduce((total, run) => total + run[key], 0) : undefined);
  const [epochs, seconds] = [sum("epochs"), sum("seconds")];
  const time = seconds && say("card.minutes", { count: number(Math.round(seconds / 60)) });
  const values = { epochs, clean: pictures && number(pictures.clean), extra: pictures && number(pictures.extra), seconds: time, device, torch: versions?.torch };
  return make("p", "note", Object.values(values).some((value) => value === undefined) ? "" : say("card.training", values));
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

function failures({ confused }, people) {
  const line = (key, values) => make("li", "", say(key, values));
  const list = make("ul", "", null, ...confused.map((pair) => line("card.confused", { ...pair, count: number(pair.count), of: number(pair.of) })));
  if (!people) return [list];
  const source = (name) => say(`source.${name}`, {}, name);
  const overall = people.sources.filter(({ count }) => count).map((each) => say("card.people.note", { accuracy: percent(each.accuracy, 1), count: number(each.count), source: source(each.source) })).join(" ");
  const hardest = people.hardest.map((each) => line("card.hardest", { ...each, source: source(each.source), accuracy: percent(each.accuracy), count: number(each.count) }));
  return [list, make("h4", "", say("card.people")), make("p", "note", overall), make("ul", "", null, ...hardest)];
}
