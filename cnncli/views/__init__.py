"""Layer 6: pictures that explain: arrays in, pictures out."""
