"""The service: HTTP and WebSocket, as ComfyUI's clients know them."""
