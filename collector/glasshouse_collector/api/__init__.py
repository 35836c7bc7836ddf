"""What people and programs ask of the collector over HTTP."""
