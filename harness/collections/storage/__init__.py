"""Where collections lie: pinned files, docstores, ir_datasets."""
