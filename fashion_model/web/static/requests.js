// Questions to the server: one is in flight at a time, and the last state is always asked about, so that an
// old reply can never replace a newer one.
// state(): what to ask about now. send(state): a promise of the reply. show(reply): a prediction, or
// {error}. delay(): milliseconds to wait before the next question. patience: milliseconds until silence.
window.fashion.requests = ({ state, send, show, delay = () => 0, patience }) => {
  let wanted = 0, sent = 0, cancelled = 0, busy = false, failures = 0, timer = 0, last = null;

  function schedule() {
    clearTimeout(timer);
    timer = setTimeout(ask, delay());
  }

  async function ask() {
    if (busy || sent === wanted) return;
    const current = state(), turn = (sent = wanted);
    if (last && Object.keys(current).every((key) => current[key] === last[key])) return;  // nothing new
    busy = true;
    last = current;
    let late;
    const silence = new Promise((_, reject) => { late = setTimeout(reject, patience); });
    try {
      const reply = await Promise.race([send(current), silence]);
      if (!reply?.confidences && !reply?.error) throw reply;  // Gradio's client swallows a lost connection
      failures = 0;
      if (turn > cancelled) show(reply);
    } catch {
      failures += 1;
      last = null;
      if (turn > cancelled && failures === 1) sent = turn - 1;  // ask once more
      else if (turn > cancelled) show({ error: { key: "silent" } });
    }
    clearTimeout(late);
    busy = false;
    if (sent !== wanted) schedule();
  }

  return {
    changed() { wanted += 1; schedule(); },
    repeat() { last = null; wanted += 1; schedule(); },  // the server has forgotten the picture
    cancel() { cancelled = sent = wanted += 1; last = null; },  // what is in flight is of no use any more
  };
};
