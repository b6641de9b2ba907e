"""A process that dies, or whose database fails, at any moment: what was promised is kept all the same."""
