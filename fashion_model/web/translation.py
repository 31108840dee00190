"""Every text of the page in English and Chinese: words.json, from which the browser's language
chooses; null there is what fashion_model says itself."""

import functools
import json
from pathlib import Path

import gradio as gr

from fashion_model.sentences import ENGLISH

FILE = Path(__file__).with_name("static") / "words.json"


@functools.cache
def texts() -> dict[str, dict[str, str]]:
    """The texts by language, then by key; {name} stands for a value."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    return {
        "en": {key: text or ENGLISH[key.removeprefix("says.")] for key, (text, _) in table.items()},
        "zh": {key: text for key, (_, text) in table.items()},
    }


def translations() -> gr.I18n:
    """The texts of Gradio's tabs, by the languages to which page_root.js reduces the browser's."""
    english, chinese = (
        {key: text for key, text in texts()[language].items() if key.startswith("tab.")}
        for language in ("en", "zh")
    )
    return gr.I18n(en=english, **{"zh-CN": chinese})


def script(code: str) -> str:
    """code as a script for the page's head, with the texts as WORDS."""
    words = json.dumps(texts(), ensure_ascii=False).replace("<", "\\u003c")
    return f"<script>(() => {{\nconst WORDS = {words};\n{code}}})();</script>"
