"""Hindsight: the cost of a tape differentiated along its path, and a learner that descends it."""
