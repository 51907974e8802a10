"""Planning policies: orders follow from a plan over the coming periods."""
