"""What app.py puts together: the server, the API, and the HTML, CSS and JavaScript of the page."""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path


def make_upload_folder() -> Path:
    """A folder of this start's own, in GRADIO_TEMP_DIR or where the system has such. Called before
    Gradio is imported, which notes the folder then. What cannot be written ends the app."""
    parent = os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()
    try:
        os.makedirs(parent, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="fashion-", dir=parent)).resolve()
    except OSError as error:
        sys.exit(
            f"app.py: cannot write to {parent} ({error.strerror}), where uploads would go. Set "
            f"GRADIO_TEMP_DIR to a folder that you may write to."
        )
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
