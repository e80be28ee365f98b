"""A film, drawn by the browser, and a pack of nodes that keeps it."""

from __future__ import annotations

FILM_PACK = '''
import os
import shutil

import folder_paths


class KeepFilm:
    """Keeps a film of the input folder."""

    OUTPUT_NODE = True
    RETURN_TYPES = ()
    FUNCTION = "run"
    CATEGORY = "films"

    @classmethod
    def INPUT_TYPES(cls):
        return {"required": {"name": ("STRING",)}}

    def run(self, name):
        shutil.copy(folder_paths.get_annotated_filepath(name), folder_paths.get_output_directory())
        shown = {"filename": os.path.basename(name), "subfolder": "", "type": "output"}
        return {"ui": {"images": [shown], "animated": (True,)}}


NODE_CLASS_MAPPINGS = {"KeepFilm": KeepFilm}
'''

A_FILM = """async () => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [64, 48];
  const paint = canvas.getContext("2d");
  const recorder = new MediaRecorder(canvas.captureStream(25), { mimeType: "video/webm" });
  const parts = [];
  recorder.ondataavailable = (event) => parts.push(event.data);
  const ended = new Promise((done) => (recorder.onstop = done));
  recorder.start();
  for (let frame = 0; frame < 10; frame += 1) {
    paint.fillStyle = `hsl(${frame * 36} 90% 50%)`;
    paint.fillRect(0, 0, 64, 48);
    await new Promise((done) => setTimeout(done, 40));
  }
  recorder.stop();
  await ended;
  return [...new Uint8Array(await new Blob(parts).arrayBuffer())];
}"""
