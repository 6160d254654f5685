"""What computes: the platform, engines of one and of many machines, kernels."""
