"""What holds for every test."""

from hypothesis import settings

# No test asserts a duration; a busy machine must not fail one.
settings.register_profile("glasshouse", deadline=None)
settings.load_profile("glasshouse")
