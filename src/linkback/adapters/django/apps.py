"""What Django is told of the application."""

from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.core.signals import setting_changed


class LinkbackConfig(AppConfig):
    """Label `linkback`, so that its tables and URLs do not look like those of an application called `django`."""

    name = "linkback.adapters.django"
    label = "linkback"
    verbose_name = "Linkback"
    default_auto_field = "django.db.models.AutoField"

    def ready(self) -> None:
        """Have the settings checked, and a test's other settings heeded; no database is asked, and no work begun."""
        from linkback.adapters.django import checks  # noqa: F401 - it registers them

        setting_changed.connect(_forget, dispatch_uid="linkback")


def _forget(*, setting: str, **more: Any) -> None:
    if setting in ("LINKBACK", "DATABASES"):
        from linkback.adapters.django import blog

        blog.close()
