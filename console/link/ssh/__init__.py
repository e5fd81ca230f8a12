"""Reaches nodes over SSH: OpenSSH's own configuration, shared jump hosts, strict host keys, never a prompt answered."""
