"""Node packs written for ComfyUI (the V1 API: NODE_CLASS_MAPPINGS) run here unchanged."""
