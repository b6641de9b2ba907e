"""What goes wrong around linkback: the disk, the database, the clock, the input."""
