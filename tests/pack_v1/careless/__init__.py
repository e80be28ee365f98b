"""Some classes of this pack cannot be nodes; the others can."""


class Fine:
    RETURN_TYPES = ("INT",)
    FUNCTION = "run"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}}

    def run(self):
        return (1,)


class Raises(Fine):
    @classmethod
    def INPUT_TYPES(cls):
        raise RuntimeError("the disk is not there")


class BareType(Fine):
    RETURN_TYPES = "INT"


class NoSuchMethod(Fine):
    FUNCTION = "walk"


class OddInput(Fine):
    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": 5}}


class Taken(Fine):
    """Has the name of a node of the service."""


NODE_CLASS_MAPPINGS = {
    "V1Fine": Fine,
    "V1Raises": Raises,
    "V1BareType": BareType,
    "V1NoSuchMethod": NoSuchMethod,
    "V1OddInput": OddInput,
    "EmptyImage": Taken,
    "V1Nothing": None,
}
