"""magika's file-type model: its features, its labels, and real files of this machine."""
