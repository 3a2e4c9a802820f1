"""What a network makes of an image: a view is a module here, and a row of `table.VIEWS`."""
