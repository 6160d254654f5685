"""``xdr new``: the beginnings of a system, a track, a collection and a measure of somebody's own."""
