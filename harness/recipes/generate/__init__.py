"""Generated text about passages: queries in other languages, from whatever source."""
