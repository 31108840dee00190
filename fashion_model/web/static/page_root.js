// Behind a proxy Gradio may not know at which address its page is; the browser does.
if (window.gradio_config && location.protocol.startsWith("http")) {
  window.gradio_config.root = (location.origin + location.pathname).replace(/\/+$/, "");
}
// Gradio speaks navigator.language, and writes it into <html lang>: let that be a language of this page.
Object.defineProperty(navigator, "language", { value: navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en" });
