"""An embedded stand-in for the Duo service and a directory, as ordinary sections. Never for production."""
