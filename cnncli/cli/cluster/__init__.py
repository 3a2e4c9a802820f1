"""Work on the machines of a Dask cluster: the same functions as here, in batches, with results in order.

Dask runs a task again where its worker dies. So whatever a task writes has a name that follows from its
input, is renamed into place when it is whole, and is left alone where it stands already. All of this is
imported only where a scheduler is named.
"""
