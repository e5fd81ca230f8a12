"""One truth out of several: what each voice says of a node, and where they disagree (docs/disagreements.md)."""
