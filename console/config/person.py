"""Who sits at this terminal, as far as this machine knows; good for a memory of one's own, no proof to anybody else."""

from __future__ import annotations

import getpass
import socket


def user_name() -> str:
    """Return the user's name, empty for a user id without one, as in a container."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return ""


def author() -> str:
    """Return `user@host`: who is said to have done what is done here."""
    return f"{user_name() or 'somebody'}@{socket.gethostname().partition('.')[0] or 'here'}"
