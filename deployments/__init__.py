"""How a site runs it: settings, command line, demo, clusters. The only room that reads the environment."""
