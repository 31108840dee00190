// What the page says, in the language of the browser: as Gradio does, by navigator.language.
const language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
const texts = WORDS[language];

function say(key, values = {}, otherwise = key) {
  const text = texts[key] ?? otherwise;
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? named(values[name]) : whole));
}
// A class by its name in the visitor's language; anything else as it is
const named = (label) => texts[`label.${label}`] ?? label;

// An error of the server, which speaks English: found by its pattern, said again
const literal = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
const errors = Object.entries(WORDS.en).filter(([key]) => key.startsWith("error.")).map(([key, text]) => {
  const names = [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
  return { key, names, pattern: new RegExp(`^${text.split(/\{\w+\}/).map(literal).join("(.*)")}$`) };
});
function translated(error) {
  for (const { key, names, pattern } of errors) {
    const found = error.match(pattern);
    if (found) return say(key, Object.fromEntries(names.map((name, i) => [name, found[i + 1]])));
  }
  return error;
}

// data-say, data-say-label and data-say-title name the texts of a template
function fill(element) {
  for (const each of element.querySelectorAll("[data-say]")) each.textContent = say(each.dataset.say);
  for (const each of element.querySelectorAll("[data-say-label]")) each.setAttribute("aria-label", say(each.dataset.sayLabel));
  for (const each of element.querySelectorAll("[data-say-title]")) each.title = say(each.dataset.sayTitle);
}

const number = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
const percent = (share, digits = 0) => `${(share * 100).toFixed(digits)}\u2009%`;
window.fashion = { language, say, named, translated, fill, number: (value) => number.format(value), percent };
