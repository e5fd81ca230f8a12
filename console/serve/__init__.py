"""The engine without a screen: consoles and scripts attach to it over the native site API."""
