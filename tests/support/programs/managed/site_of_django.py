"""A site of Django in one file, which its `runserver` serves; each answer says who gave it.

python site_of_django.py runserver PORT
"""

import os
import sys

from django.conf import settings
from django.core.management import execute_from_command_line
from django.http import HttpRequest, HttpResponse
from django.urls import path

settings.configure(DEBUG=True, ROOT_URLCONF=__name__, SECRET_KEY="none", ALLOWED_HOSTS=["*"])


def answer(request: HttpRequest) -> HttpResponse:
    return HttpResponse(request.path, headers={"Worker": str(os.getpid())})


urlpatterns = [path("", answer)]

if __name__ == "__main__":
    execute_from_command_line(sys.argv)
