"""One command, `linkback`, with all that is to be done besides serving."""
