"""Pull policies: cards and levels release work when stock is taken."""
