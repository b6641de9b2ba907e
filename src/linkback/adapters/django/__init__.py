"""linkback as a Django application: put `linkback.adapters.django` in `INSTALLED_APPS`.

Rule: a module here translates between Django and linkback, and decides nothing.
"""

from linkback.adapters.django.blog import link, publish, site, unpublish

__all__ = ["link", "publish", "site", "unpublish"]
