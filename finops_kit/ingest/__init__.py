"""One file in: recognise it, normalise it, append it as one batch."""
