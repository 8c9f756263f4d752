"""What the rules compute: configuration, discovery, places of results, hashes of code, locks."""
