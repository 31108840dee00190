"""What app.py puts together: the server, the API, and the HTML, CSS and JavaScript of the page."""
