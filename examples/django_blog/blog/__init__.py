"""The blog's one application: posts and comments."""
