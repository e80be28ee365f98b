"""Where nodes run: devices, lanes, loaded weights."""
