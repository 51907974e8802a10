"""Planning policies: orders come from a plan over the coming periods."""
