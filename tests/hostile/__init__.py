"""What goes wrong around linkback: whoever answers it, the disk, the database, the clock, the input."""
