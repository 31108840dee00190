// Which network answers: one of ours, or the visitor's own, which training.js announces and takes back.
const { say, fill, emit } = window.fashion;
const group = element.querySelector("[role=radiogroup]");
let yours = null;  // its <label>

function add(name, text) {
  const label = document.createElement("label"), radio = document.createElement("input");
  Object.assign(radio, { type: "radio", name: "network", value: name });
  label.append(radio, text);
  group.append(label);
  return label;
}

function choose(label) {
  label.firstChild.checked = true;
  emit("network", label.firstChild.value);
}

const ours = props.names.map((name) => add(name, say(`network.${name}`)));
ours[0].firstChild.checked = true;
group.addEventListener("change", (event) => emit("network", event.target.value));

// network: its name on the server, null where it is forgotten; chosen: whether to let it answer now
function showYours({ network, chosen }) {
  const was = yours?.firstChild.checked;
  if (!network) {
    yours?.remove();
    yours = null;
    if (was) choose(ours[0]);
  } else {
    yours ??= add(network, document.createElement("span"));
    yours.lastChild.textContent = say(network === "untrained" ? "network.untrained" : "network.yours");
    const renamed = yours.firstChild.value !== network;
    yours.firstChild.value = network;
    if (chosen || (was && renamed)) choose(yours);
  }
  group.hidden = ours.length < 2 && !yours;
}
document.addEventListener("fashion:yours", (event) => showYours(event.detail));
showYours({ network: window.fashion.yours });
fill(element);
