"""Files of pictures, opened although they are damaged; knows neither the engine nor the nodes."""
