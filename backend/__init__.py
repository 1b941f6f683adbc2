"""The web application and every domain of the platform."""
