"""EAP methods: one file each, and what they share with the machine that runs them."""
