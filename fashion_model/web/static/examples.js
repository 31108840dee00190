let clicks = 0;  // the same example twice is a change too
element.addEventListener("click", (event) => {
  const example = event.target.closest("button")?.dataset.example;
  if (example) props.value = { example, click: ++clicks };
});
window.fashion.fill(element);
