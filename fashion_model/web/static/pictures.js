// Pictures that come from anywhere on the page: pasted, dropped, from the clipboard. Each goes to the Upload tab,
// which may not be there yet: it takes the file when it is. What is no picture is said in a notice.
let pending = null;
const typing = (target) => target.closest?.("input:not([type=radio]):not([type=file]), textarea, select, [contenteditable]");

function notify(text) {
  const notice = document.querySelector(".notice");
  if (!notice) return;
  notice.querySelector("p").textContent = text;
  notice.hidden = !text;
}

function openFile(file) {
  notify("");
  pending = file;
  const [, tab] = document.querySelectorAll("#question [role=tab]");
  if (tab?.getAttribute("aria-selected") !== "true") tab?.click();
  emit("file");
}

const toDataFile = async (url, name) => {
  const blob = await (await fetch(url)).blob();
  return new File([blob], name, { type: blob.type });
};

document.addEventListener("paste", (event) => {
  if (typing(event.target)) return;
  const [file] = event.clipboardData.files;
  if (file) openFile(file);
  else notify(say("paste.none"));
});

// A drop that nobody takes would leave the page, and lose the drawing
const dropping = (event, on) => {
  if (typing(event.target) && !event.dataTransfer.types.includes("Files")) return false;
  event.preventDefault();
  document.body.classList.toggle("dropping", on);
  return true;
};
for (const name of ["dragenter", "dragover"]) document.addEventListener(name, (event) => dropping(event, true));
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) document.body.classList.remove("dropping"); });
document.addEventListener("drop", (event) => {
  if (!dropping(event, false)) return;
  const { items, files } = event.dataTransfer;
  const folder = [...items].find(({ kind }) => kind === "file")?.webkitGetAsEntry?.()?.isDirectory;
  const [address] = event.dataTransfer.getData("text/uri-list").split(/\s/);
  if (files.length && !folder) {
    openFile(files[0]);
    if (files.length > 1) notify(say("drop.first"));
  } else if (/^(data|blob):/.test(address)) toDataFile(address, "picture").then(openFile, () => notify(say("drop.none")));
  else notify(say(folder ? "drop.folder" : "drop.none"));
});

// The picture in the clipboard; null where there is none, which is said
async function clipboardPicture() {
  if (!navigator.clipboard?.read) return notify(say("paste.keys"));
  let items;
  try {
    items = await navigator.clipboard.read();
  } catch (error) {
    return notify(say(error.name === "NotAllowedError" ? "paste.denied" : "paste.none"));
  }
  for (const item of items) {
    const type = item.types.find((each) => each.startsWith("image/"));
    if (type) return new File([await item.getType(type)], "clipboard", { type });
  }
  return notify(say("paste.none"));
}

const takeFile = () => { const file = pending; pending = null; return file; };
Object.assign(window.fashion, { notify, toDataFile, clipboardPicture, takeFile });
