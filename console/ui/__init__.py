"""The screen: the only importer of Textual."""

import os

# Textual gathers what changed for 1/TEXTUAL_FPS s before it paints again, and reads the number when it is imported. At
# its 60 a key pressed right after a paint waits 17 ms; what the terminal cannot take is held back by the frame writer.
os.environ.setdefault("TEXTUAL_FPS", "200")
