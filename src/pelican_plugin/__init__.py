"""The plugin under the name by which Pelican finds it when PLUGINS is not set."""

from linkback.adapters.pelican import register

__all__ = ["register"]
