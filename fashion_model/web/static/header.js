// Gradio translates the texts of its components, but not the page's title.
window.fashion.fill(element);
document.title = window.fashion.say("title");
