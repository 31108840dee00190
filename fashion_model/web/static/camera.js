// The camera, and what to do where there is none. It is one part of the Upload tab with upload.js.
const video = part("video");
let stream = null, turn = 0;  // turn: counts each start and stop, of which only the last holds

function cameraTrouble({ name }) {
  if (!window.isSecureContext) return say("camera.insecure");
  if (["NotAllowedError", "SecurityError"].includes(name)) {
    return window.self === window.top ? say("camera.denied") : say("camera.frame", { address: location.href });
  }
  if (["NotFoundError", "OverconstrainedError"].includes(name)) return say("camera.none");
  return say(name === "NotReadableError" ? "camera.busy" : "camera.failed");
}

function displayCamera() {
  video.hidden = !stream;
  part(".upload").classList.toggle("filming", Boolean(stream));
  for (const name of ["file", "camera", "paste"]) part(`[data-do=${name}]`).hidden = Boolean(stream);
  for (const name of ["shoot", "stop"]) part(`[data-do=${name}]`).hidden = !stream;
}

function release(media) {
  for (const track of media?.getTracks() ?? []) track.stop();
}

function stopCamera() {
  turn += 1;
  release(stream);
  stream = video.srcObject = null;
  displayCamera();
}

Object.assign(actions, {
  async camera() {
    stopCamera();
    const current = turn;
    try {
      const allowed = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
      if (current !== turn) return release(allowed);  // while the browser asked, something else was chosen
      stream = video.srcObject = allowed;
      displayCamera();
      await video.play();
    } catch (error) {
      if (current !== turn) return;
      stopCamera();
      notify(cameraTrouble(error));
    }
  },
  shoot() {
    if (!video.videoWidth) return;
    const canvas = Object.assign(document.createElement("canvas"), { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    canvas.toBlob((blob) => take(new File([blob], "camera.jpg", { type: "image/jpeg" })), "image/jpeg", 0.92);
  },
  stop: stopCamera,
});
document.addEventListener("fashion:camera-off", stopCamera);
document.addEventListener("fashion:tab", stopCamera);
