"""A pack of the newer kind."""


async def comfy_entrypoint():
    raise NotImplementedError
