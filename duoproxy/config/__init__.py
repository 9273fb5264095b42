"""The option engine: an option is declared once; parsing, checks, docs and masking come from that."""
