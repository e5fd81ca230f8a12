"""The frame writer: sends the terminal only the cells that changed, and no more than it can take."""
