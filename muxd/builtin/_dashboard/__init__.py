"""The parts of the dashboard: what it knows, how it is drawn, and its pages."""
