import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./app/App";
import "@xyflow/react/dist/base.css";
import "./theme/tokens.css";
import "./theme/base.css";
import "./theme/bar.css";
import "./theme/canvas.css";
import "./theme/nodes.css";
import "./theme/shown.css";
import "./theme/widgets.css";
import "./theme/mask.css";
import "./theme/model.css";
import "./theme/prompt.css";
import "./theme/recorder.css";
import "./theme/panels.css";
import "./theme/results.css";
import "./theme/sound.css";
import "./theme/compare.css";
import "./theme/viewer.css";
import "./theme/start.css";
import "./theme/form.css";
import "./theme/above.css";
import "./theme/contrast.css";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
