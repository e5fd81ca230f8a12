"""What this server says of itself when it is asked who leads: its role, and where the leader is."""

from __future__ import annotations

from console.model.values import dataclass

LEADER, FOLLOWER = "leader", "follower"


@dataclass(frozen=True, slots=True)
class RoleWord:
    """`role` is `leader` or `follower`; `leader` is the leader's address, empty where it is not known."""

    role: str = LEADER
    leader: str = ""

    @property
    def leads(self) -> bool:
        """Whether this server leads: writes go to the leader alone."""
        return self.role == LEADER
