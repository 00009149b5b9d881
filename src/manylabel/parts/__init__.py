"""Small plain objects that methods and loops share and pass to each other explicitly."""
