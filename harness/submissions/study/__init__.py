"""A track's declared study of generated texts: encoders by kinds of texts by weights, chosen by cross-fitting and tested."""
