"""Layer 2: kernels by name, the spec grammar, borders, and the plan that runs them."""
