"""One YAML file that ops people edit, read with the place of every value; every problem is told at once.

`load.load` gives the `model.Config`; `opening.open_connection` makes a connector of a connection.
"""
