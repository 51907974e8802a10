"""Policy improvement by simulation: candidates, their values, and a net that picks among them."""
