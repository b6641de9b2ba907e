"""A blog of static pages: built by one module, served by another, as a web server with `linkback serve` beside it."""
