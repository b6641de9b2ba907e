# ruff: noqa: RUF012
"""The first schema of the Django store."""

import django.db.models.deletion
from django.db import migrations, models

import linkback.adapters.django.fields


class Migration(migrations.Migration):
    initial = True

    dependencies: list[tuple[str, str]] = []

    operations = [
        migrations.CreateModel(
            name="Claim",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", linkback.adapters.django.fields.WordField(max_length=64)),
                ("site", linkback.adapters.django.fields.CleanTextField()),
                ("key", linkback.adapters.django.fields.WordField(max_length=64)),
                ("page", linkback.adapters.django.fields.CleanTextField()),
                ("received", linkback.adapters.django.fields.MomentField()),
                ("open", models.BooleanField()),
                ("checked", linkback.adapters.django.fields.MomentField(null=True)),
                ("protocol", linkback.adapters.django.fields.WordField(max_length=64)),
                ("source", linkback.adapters.django.fields.CleanTextField()),
                ("target", linkback.adapters.django.fields.CleanTextField()),
                ("title", linkback.adapters.django.fields.CleanTextField()),
                ("excerpt", linkback.adapters.django.fields.CleanTextField()),
                ("blog_name", linkback.adapters.django.fields.CleanTextField()),
                ("endpoint", linkback.adapters.django.fields.CleanTextField()),
                ("state", linkback.adapters.django.fields.WordField(max_length=16)),
                ("reason", linkback.adapters.django.fields.WordField(max_length=32, null=True)),
            ],
            options={
                "db_table": "linkback_claims",
                "indexes": [
                    models.Index(fields=["key", "open"], name="ix_linkback_claims_key"),
                    models.Index(fields=["key", "protocol", "received", "id"], name="ix_linkback_claims_last"),
                ],
                "constraints": [models.UniqueConstraint(fields=("public_id",), name="uq_linkback_claims_public_id")],
            },
        ),
        migrations.CreateModel(
            name="Delivery",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", linkback.adapters.django.fields.WordField(max_length=64)),
                ("source_key", linkback.adapters.django.fields.WordField(max_length=64)),
                ("site", linkback.adapters.django.fields.CleanTextField()),
                ("source", linkback.adapters.django.fields.CleanTextField()),
                ("target", linkback.adapters.django.fields.CleanTextField()),
                ("attempts", models.IntegerField()),
                ("cause", linkback.adapters.django.fields.WordField(max_length=16)),
                ("told", linkback.adapters.django.fields.WordField(max_length=64)),
                ("revision", models.IntegerField()),
                ("owed", linkback.adapters.django.fields.MomentField(null=True)),
                ("tried", linkback.adapters.django.fields.MomentField(null=True)),
                ("protocol", linkback.adapters.django.fields.WordField(max_length=64, null=True)),
                ("endpoint", linkback.adapters.django.fields.CleanTextField(null=True)),
                ("outcome", linkback.adapters.django.fields.WordField(max_length=16)),
                ("code", models.IntegerField(null=True)),
                ("detail", linkback.adapters.django.fields.CleanTextField()),
                ("status_url", linkback.adapters.django.fields.CleanTextField()),
                ("again", models.IntegerField()),
            ],
            options={
                "verbose_name_plural": "deliveries",
                "db_table": "linkback_deliveries",
                "indexes": [models.Index(fields=["source_key"], name="ix_linkback_deliveries_source")],
                "constraints": [models.UniqueConstraint(fields=("key",), name="uq_linkback_deliveries_key")],
            },
        ),
        migrations.CreateModel(
            name="Host",
            fields=[
                ("key", linkback.adapters.django.fields.WordField(max_length=64, primary_key=True, serialize=False)),
                ("host", linkback.adapters.django.fields.CleanTextField()),
                ("next_slot", linkback.adapters.django.fields.MomentField()),
                ("free_at", linkback.adapters.django.fields.MomentField()),
                ("busy_until", linkback.adapters.django.fields.MomentField(null=True)),
                ("holder", linkback.adapters.django.fields.WordField(max_length=32, null=True)),
            ],
            options={
                "db_table": "linkback_hosts",
                "indexes": [models.Index(fields=["holder"], name="ix_linkback_hosts_holder")],
            },
        ),
        migrations.CreateModel(
            name="Job",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("site", linkback.adapters.django.fields.CleanTextField()),
                ("site_key", linkback.adapters.django.fields.WordField(max_length=64)),
                ("kind", linkback.adapters.django.fields.WordField(max_length=16)),
                ("subject", linkback.adapters.django.fields.WordField(max_length=64)),
                ("due", linkback.adapters.django.fields.MomentField(null=True)),
                ("attempts", models.IntegerField()),
                ("leases", models.IntegerField()),
                ("leased_until", linkback.adapters.django.fields.MomentField(null=True)),
            ],
            options={
                "db_table": "linkback_jobs",
                "indexes": [
                    models.Index(fields=["due", "id"], name="ix_linkback_jobs_due"),
                    models.Index(fields=["kind", "due", "id"], name="ix_linkback_jobs_kind"),
                    models.Index(fields=["site_key", "due", "id"], name="ix_linkback_jobs_site_key"),
                    models.Index(fields=["site_key", "kind", "due", "id"], name="ix_linkback_jobs_site_kind"),
                ],
                "constraints": [models.UniqueConstraint(fields=("kind", "subject"), name="uq_linkback_jobs_kind")],
            },
        ),
        migrations.CreateModel(
            name="Mention",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", linkback.adapters.django.fields.WordField(max_length=64)),
                ("page_key", linkback.adapters.django.fields.WordField(max_length=64)),
                ("site", linkback.adapters.django.fields.CleanTextField()),
                ("site_key", linkback.adapters.django.fields.WordField(max_length=64)),
                ("received", linkback.adapters.django.fields.MomentField()),
                ("checked", linkback.adapters.django.fields.MomentField()),
                ("missing_since", linkback.adapters.django.fields.MomentField(null=True)),
                ("lost_since", linkback.adapters.django.fields.MomentField(null=True)),
                ("source", linkback.adapters.django.fields.CleanTextField()),
                ("target", linkback.adapters.django.fields.CleanTextField()),
                ("title", linkback.adapters.django.fields.CleanTextField()),
                ("author_name", linkback.adapters.django.fields.CleanTextField()),
                ("author_url", linkback.adapters.django.fields.CleanTextField()),
                ("author_photo", linkback.adapters.django.fields.CleanTextField()),
                ("excerpt", linkback.adapters.django.fields.CleanTextField()),
                ("published", linkback.adapters.django.fields.PageTimeField(max_length=48, null=True)),
                ("kind", linkback.adapters.django.fields.WordField(max_length=32)),
                ("final_url", linkback.adapters.django.fields.CleanTextField()),
                ("status", linkback.adapters.django.fields.WordField(max_length=16)),
                ("decided", models.BooleanField()),
                ("decided_status", linkback.adapters.django.fields.WordField(max_length=16, null=True)),
            ],
            options={
                "db_table": "linkback_mentions",
                "indexes": [
                    models.Index(fields=["page_key", "status"], name="ix_linkback_mentions_page_key"),
                    models.Index(fields=["site_key", "status"], name="ix_linkback_mentions_site_key"),
                ],
                "constraints": [models.UniqueConstraint(fields=("key",), name="uq_linkback_mentions_key")],
            },
        ),
        migrations.CreateModel(
            name="MentionProtocol",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "mention_id", "protocol", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("position", models.IntegerField()),
                ("protocol", linkback.adapters.django.fields.WordField(max_length=64)),
                (
                    "mention",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="protocols",
                        to="linkback.mention",
                    ),
                ),
            ],
            options={
                "db_table": "linkback_mention_protocols",
            },
        ),
        migrations.CreateModel(
            name="Post",
            fields=[
                ("id", models.AutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("key", linkback.adapters.django.fields.WordField(max_length=64)),
                ("site", linkback.adapters.django.fields.CleanTextField()),
                ("url", linkback.adapters.django.fields.CleanTextField()),
                ("content", linkback.adapters.django.fields.WordField(max_length=64)),
                ("changed", linkback.adapters.django.fields.MomentField()),
                ("comes_out", linkback.adapters.django.fields.MomentField(null=True)),
                ("gone", models.BooleanField()),
            ],
            options={
                "db_table": "linkback_posts",
                "constraints": [models.UniqueConstraint(fields=("key",), name="uq_linkback_posts_key")],
            },
        ),
    ]
