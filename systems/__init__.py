"""The adapters, one small file each; their cards, one TOML per row, lie in cards/."""
