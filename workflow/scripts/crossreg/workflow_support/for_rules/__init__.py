"""What the rule files ask: inputs, parameters, commands, resources."""
