"""What the example blogs share as it is not the point: looks, storage, a command line. linkback is in each of them."""
