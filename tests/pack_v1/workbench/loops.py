"""A while loop of two nodes: the second one expands to another turn of all that lies between."""

from comfy_execution.graph_utils import GraphBuilder, is_link

from .values import ANY

NAMES = ("first", "second")


class While:
    """Begins a turn with these values."""

    RETURN_TYPES = ("FLOW", ANY, ANY)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {}, "optional": dict.fromkeys(NAMES, (ANY,))}

    def run(self, first=None, second=None):
        return ("flow", first, second)


class EndWhile:
    """Ends a turn; while the condition holds there is another one."""

    RETURN_TYPES = (ANY, ANY)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {
            "required": {
                "flow": ("FLOW", {"rawLink": True}),
                "condition": ("BOOLEAN", {"forceInput": True}),
            },
            "optional": dict.fromkeys(NAMES, (ANY,)),
            "hidden": {"prompt": "DYNPROMPT", "own": "UNIQUE_ID"},
        }

    def run(self, flow, condition, prompt, own, **values):
        if not condition:
            return tuple(values.get(name) for name in NAMES)
        begin = flow[0]
        graph = GraphBuilder()
        turn = {id: prompt.get_node(id) for id in between(prompt, begin, own)}
        for id, node in turn.items():
            copy = graph.node(node["class_type"], "next" if id == own else id)
            copy.set_override_display_id(id)
        for id, node in turn.items():
            copy = graph.lookup_node("next" if id == own else id)
            for name, value in node["inputs"].items():
                if is_link(value) and value[0] in turn:
                    value = graph.lookup_node(value[0]).out(value[1])
                copy.set_input(name, value)
        for name in NAMES:
            graph.lookup_node(begin).set_input(name, values.get(name))
        following = graph.lookup_node("next")
        return {
            "result": tuple(following.out(slot) for slot in range(len(NAMES))),
            "expand": graph.finalize(),
        }


def between(prompt, begin, end):
    """The nodes of one turn: those on a way from its begin to its end."""
    inside = {begin: True}

    def leads(id):
        if id not in inside:
            inputs = prompt.get_node(id)["inputs"].values()
            sources = [value[0] for value in inputs if is_link(value)]
            inside[id] = True in [leads(source) for source in sources]
        return inside[id]

    leads(end)
    return [id for id, is_inside in inside.items() if is_inside]


class Below:
    RETURN_TYPES = ("BOOLEAN",)
    FUNCTION = "run"
    CATEGORY = "v1/loops"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"value": ("INT",), "limit": ("INT",)}}

    def run(self, value, limit):
        return (value < limit,)


NODES = {"V1While": While, "V1EndWhile": EndWhile, "V1Below": Below}
