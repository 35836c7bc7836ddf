"""A Django application that knows nothing of telemetry: settings, addresses and a view in one module."""

import logging

from django.http import HttpRequest, JsonResponse
from django.urls import path

SECRET_KEY = "not one"
ROOT_URLCONF = __name__
ALLOWED_HOSTS = ["127.0.0.1"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]

log = logging.getLogger("prices")


def price(_request: HttpRequest, number: int) -> JsonResponse:
    """Return a price; there is none below zero."""
    log.error("the price of %d is made up", number)
    return JsonResponse({"price": 10 * number})


urlpatterns = [path("prices/<int:number>", price)]
