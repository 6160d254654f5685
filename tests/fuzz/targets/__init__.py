"""One reader a file: ``SUFFIX``, the ending of the file's name, and ``read(path)``, which may raise an ``XdrError`` alone."""
