"""A pack may be one file; this one talks while it is imported."""

print("a pack that prints")


class Greeting:
    RETURN_TYPES = ("STRING",)
    FUNCTION = "run"
    CATEGORY = "v1"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": ("STRING", {"default": "you"})}}

    def run(self, name):
        print("a node that prints")
        return (f"Hello {name}",)


NODE_CLASS_MAPPINGS = {"V1Greeting": Greeting}
