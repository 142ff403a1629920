"""The detectors beside Presidio's pattern recognisers, on the same labelled texts."""
