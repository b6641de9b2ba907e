"""The settings of the blog; what is linkback's is marked."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import urlsplit

from django.core.management.utils import get_random_secret_key

HERE = Path(__file__).resolve().parent
SHARED = HERE.parent / "shared"
URL = os.environ.get("BLOG_URL", "http://127.0.0.1:8002")
HOST = urlsplit(URL).hostname or ""

# those who are signed in sign in again after a restart
SECRET_KEY = get_random_secret_key()
ALLOWED_HOSTS = [HOST, "127.0.0.1", "localhost"]
CSRF_TRUSTED_ORIGINS = [URL]
ROOT_URLCONF = "django_blog.urls"
STATIC_URL = "/static/"
STATICFILES_DIRS = [SHARED / "static"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
TIME_ZONE = "UTC"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django_blog.blog",
    "linkback.adapters.django",  # linkback
]
MIDDLEWARE = [
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "linkback.adapters.django.middleware.LinkbackMiddleware",  # linkback
]
CONTEXT = [
    "django.template.context_processors.request",
    "django.contrib.auth.context_processors.auth",
    "django.contrib.messages.context_processors.messages",
    "django_blog.blog.views.everywhere",
]
ENGINE = "django.template.backends.django.DjangoTemplates"
FOLDERS = [HERE / "templates", SHARED / "templates"]
TEMPLATES = [{"BACKEND": ENGINE, "DIRS": FOLDERS, "APP_DIRS": True, "OPTIONS": {"context_processors": CONTEXT}}]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": Path(os.environ.get("BLOG_DATA", HERE / "data")) / "db.sqlite3",
        # who is going to write takes the lock first, and nobody who reads waits for that
        "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA journal_mode=WAL", "timeout": 20},
    }
}

BLOG_NAME = os.environ.get("BLOG_NAME", "A Django blog")
LINKBACK = {
    "SITE": URL,
    "NAME": BLOG_NAME,
    "RESOLVE": "django_blog.blog.models.permalink",
    "PROTOCOLS": os.environ.get("BLOG_PROTOCOLS", "webmention,pingback,trackback"),
    "MODERATE": bool(os.environ.get("BLOG_MODERATE")),
    # a blog on loopback has neighbours there; one with a public address has none
    "ALLOW_NETWORKS": ["127.0.0.0/8"] if HOST in ("127.0.0.1", "localhost") else [],
}
