"""The version of the tool; it goes into fingerprints and footers."""

VERSION = "0.1.0"
