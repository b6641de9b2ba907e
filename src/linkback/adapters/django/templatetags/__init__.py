"""What a project's templates can use: `{% load linkback %}`."""
