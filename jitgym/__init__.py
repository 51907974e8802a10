"""Pull production control as reinforcement learning."""
