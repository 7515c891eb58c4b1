"""Parts of the recorder inside web applications: asgi.py and wsgi.py."""
