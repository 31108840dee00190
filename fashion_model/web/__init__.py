"""What app.py puts together: payloads.py, and the HTML, CSS and JavaScript of the page."""
