"""One module a command (or a few of one family); each is imported when it is called."""
