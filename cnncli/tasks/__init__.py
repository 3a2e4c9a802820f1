"""Layer 5: tasks: what a network's outputs mean, how well they answer, and how an answer reads."""
