"""The example blogs, driven as their writers and readers would: over real sockets, in a real browser."""
