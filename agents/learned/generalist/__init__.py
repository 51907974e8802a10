"""One learned policy for a whole family of plants, used at once on plants that it has not seen.

Lost sales: one item, one supplier, demand of any mean, deviation and penalty, lead times of up to
ten periods, certain or random without crossover. `benchmarks/lost_sales_generalist/train.py` trains
the net; its weights are data in this folder.
"""

from .lost_sales import Family, Weights, policy, read_weights, simulate

__all__ = ["Family", "Weights", "policy", "read_weights", "simulate"]
