"""The SDK's commands, one a file; they register by the entry point group `glasshouse.commands`."""
