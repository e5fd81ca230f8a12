"""How the native site API puts things on the wire: bodies, blocks, and the stream; docs/site-api.md has it in words."""
