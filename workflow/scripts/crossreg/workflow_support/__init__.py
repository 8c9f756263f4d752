"""What the rules and their scripts need beside the methods: inputs, runs, paths of results."""
