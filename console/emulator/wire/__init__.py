"""The emulator's voice: encoders of real wire formats. They share no code with the decoders of console.sources."""
