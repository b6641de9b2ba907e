"""A little blog in Django that listens, and tells others: run it with `python examples/django_blog`."""
