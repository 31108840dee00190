element.addEventListener("click", (event) => {
  const example = event.target.closest("button")?.dataset.example;
  if (example) trigger("select", { example });
});
