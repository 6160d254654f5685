"""Ray as the engine for more than one machine; imported only where it was asked for, since Ray is an extra."""
