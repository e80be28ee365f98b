"""Modules that ComfyUI's node packs import, made of what the engine has.

Each is an object made for one home and put into `sys.modules` by `install`, in the worker only and
only when there are packs to load. They hold what packs use to say what their nodes are and to find
files; models, samplers and the like are nodes here, not functions to call.
"""
