"""Every text of the page in English and Chinese: words.json, from which the browser's language
chooses; null there is what fashion_model says itself."""

import functools
import json
from pathlib import Path

import gradio as gr
from gradio.i18n import I18nData

from fashion_model.sentences import ENGLISH

FILE = Path(__file__).with_name("static") / "words.json"
LANGUAGES = ("en", "zh")
IN_GRADIO = ("tab.",)


@functools.cache
def texts() -> dict[str, dict[str, str]]:
    """The texts by language, then by key; {name} stands for a value."""
    table = json.loads(FILE.read_text(encoding="utf-8"))
    for key, row in table.items():
        row[0] = row[0] or ENGLISH.get(key.removeprefix("says."), "")
    return {
        language: {key: row[i] for key, row in table.items()}
        for i, language in enumerate(LANGUAGES)
    }


def translations() -> gr.I18n:
    """The texts of Gradio's components, which it looks up by the browser's language too."""
    english, chinese = (
        {key: text for key, text in texts()[language].items() if key.startswith(IN_GRADIO)}
        for language in LANGUAGES
    )
    return gr.I18n(en=english, **{"zh": chinese, "zh-CN": chinese, "zh-TW": chinese})


def text(key: str) -> I18nData:
    """The text key for a component of Gradio."""
    return I18nData(key)


def script(code: str) -> str:
    """code as a script for the page's head, with the texts as WORDS."""
    words = json.dumps(texts(), ensure_ascii=False).replace("<", "\\u003c")
    return f"<script>(() => {{\nconst WORDS = {words};\n{code}}})();</script>"
