"""A model behind HTTP: `app.make_app` makes the application, `manylabel serve` runs it (extra: serve)."""
