"""What is made of all rows of a track: the table, its exports, the site, snapshots."""
