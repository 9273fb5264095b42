"""Two sections that are not part of duoproxy: docs/new-section.md walks through them."""
