# ruff: noqa: RUF012
"""Claims that are found by their source; those that there are stay without, and are checked one by one."""

from django.db import migrations, models

import linkback.adapters.django.fields


class Migration(migrations.Migration):
    dependencies = [("linkback", "0001_initial")]

    operations = [
        migrations.AddField(
            model_name="claim",
            name="source_key",
            field=linkback.adapters.django.fields.WordField(max_length=64, null=True),
        ),
        migrations.AddIndex(
            model_name="claim",
            index=models.Index(fields=["source_key", "open", "id"], name="ix_linkback_claims_source_key"),
        ),
    ]
