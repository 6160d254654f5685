"""What lies in runs/TRACK/SYSTEM: runs, manifests, scores."""
