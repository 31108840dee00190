// What the page says, in the language of the browser; page_root.js reduces that to one the page knows.
const language = navigator.language === "zh-CN" ? "zh" : "en";
const texts = WORDS[language];

const filled = (text, values = {}) => text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? named(values[name]) : whole));
const say = (key, values, otherwise = key) => filled(texts[key] ?? otherwise, values);
// A class by its name in the visitor's language; anything else as it is
const named = (label) => texts[`label.${label}`] ?? label;

// An error, {text, key, values}: as the server says it, in English, or translated by its key
const translated = ({ text, key, values }) => (text && language === "en" ? text : say(`error.${key}`, values, text || texts["error.failed"]));

// A sentence of the server, {text, key, values}, in the same way
function translatedMessage({ text, key, values }) {
  const known = texts[`says.${key.replace(/^says\./, "")}`];
  return known && !(text && language === "en") ? filled(known, values) : text;
}

// data-say, data-say-label and data-say-title name the texts of a template
function fill(element) {
  for (const each of element.querySelectorAll("[data-say]")) each.textContent = say(each.dataset.say);
  for (const each of element.querySelectorAll("[data-say-label]")) each.setAttribute("aria-label", say(each.dataset.sayLabel));
  for (const each of element.querySelectorAll("[data-say-title]")) each.title = say(each.dataset.sayTitle);
}

const emit = (name, detail) => document.dispatchEvent(new CustomEvent(`fashion:${name}`, { detail }));
const number = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
const percent = (share, digits = 0) => `${(share * 100).toFixed(digits)}%`;
document.addEventListener("fashion:network", (event) => { window.fashion.network = event.detail; });
window.fashion = { language, say, named, translated, translatedMessage, fill, emit, number: (value) => number.format(value), percent };
