"""Django's own way to start it, as `django-admin startproject` writes it."""

import os
import sys

from django.core.management import execute_from_command_line

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "prices")
execute_from_command_line(sys.argv)
