"""Hindsight: the cost of a tape, differentiated along its path, and the learner that descends it."""
