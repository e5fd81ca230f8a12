"""How good alerts were: matching to what really failed, and the figures that follow from it; pure."""
