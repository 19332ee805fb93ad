"""Looking around in stored results: users, films, every model's lists, why a film stands there, films near a film."""
