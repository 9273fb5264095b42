"""Section plugins: one file for each kind of INI section; they never import each other."""
