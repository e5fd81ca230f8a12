"""The semantic tokens for whoever presents; they are values of the model, as the themes of a fleet know them too."""

from console.model.tokens import HEAT, PLOT, TOKENS, heat_token

__all__ = ["HEAT", "PLOT", "TOKENS", "heat_token"]
