"""CLEAN: Django serves six requests at once; a middleware counts under a short lock."""
import io
import threading
import time

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import path


class CountingMiddleware:
    lock, count = threading.Lock(), 0

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        with self.lock:
            CountingMiddleware.count += 1
        return self.get_response(request)


def report(request):
    time.sleep(0.12)
    return HttpResponse("ok")


urlpatterns = [path("report", report)]
settings.configure(
    ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], MIDDLEWARE=[f"{__name__}.CountingMiddleware"]
)
django.setup()
handler = WSGIHandler()


def request(number):
    environ = {
        "REQUEST_METHOD": "GET", "PATH_INFO": "/report", "SERVER_NAME": "test", "SERVER_PORT": "80",
        "wsgi.input": io.BytesIO(), "wsgi.url_scheme": "http",
    }
    b"".join(handler(environ, lambda status, headers: None))


for _ in range(3):
    threads = [threading.Thread(target=request, args=(n,), name=f"http-{n}") for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
