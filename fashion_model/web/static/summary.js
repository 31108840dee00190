// On a small screen: the answer in short, which stays above the paper while a finger draws. A screen
// reader is told by the answer itself.
const part = (selector) => element.querySelector(selector);
document.addEventListener("fashion:shown", ({ detail: { state, sentence, none, label, confidence, share } }) => {
  part(".summary").dataset.state = state;
  part(".text").textContent = label ? "" : sentence;
  part(".label").textContent = label || "";
  part(".share").textContent = confidence || "";
  part("i").style.width = `${(share || 0) * 100}%`;
  part(".none").textContent = label ? none || (state === "unknown" ? sentence : "") : "";
});
window.fashion.fill(element);
part(".notice button").addEventListener("click", () => window.fashion.notify(""));
