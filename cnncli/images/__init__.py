"""Layer 1: pictures in and out. The only importer of PIL."""
