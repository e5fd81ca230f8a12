"""The link to a Kubernetes API server: where it is, who we are there, answers and streams."""
