"""How each kind of filter is explained, one a file: what is drawn, said and worked out."""
