/** All keys and gestures. */

import { helpOpen, workspace } from "../store";
import { Dialog } from "./Dialog";

const KEYS: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Select",
    [
      ["Click", "the object under the pointer"],
      ["Shift + click", "add an object"],
      ["Alt + click", "take an object away"],
      [", and .", "less or more of what a click takes"],
      ["V, M, L, P", "select, box, lasso, brush"],
      ["Ctrl + A, Escape", "all, none"],
      ["Arrow keys", "from element to element, then Enter"],
    ],
  ],
  [
    "Change",
    [
      ["Drag", "move; with Shift straight, with Ctrl a copy"],
      ["Arrow keys", "move by a pixel, with Shift by ten"],
      ["Corners and sides", "resize; with Alt about the centre, with Shift freely"],
      ["The knob above", "turn; with Shift by 15°"],
      ["Delete, Ctrl + D", "remove, duplicate"],
      ["F, Shift + F", "flip across, down"],
      ["[ and ]", "to the back, to the front"],
      ["Ctrl + C, Ctrl + V", "carry to another photo"],
      ["Ctrl + Z, Ctrl + Shift + Z", "undo, redo"],
    ],
  ],
  [
    "See",
    [
      ["Wheel, pinch, + and −", "zoom"],
      ["Space + drag, H", "move the view"],
      ["0, 1", "fit the window, 1:1"],
      ["B, held", "the photo before all edits"],
      ["Ctrl + S", "save"],
    ],
  ],
];

export function Help() {
  return (
    <Dialog title="Keys and gestures" wide onClose={() => (helpOpen.value = false)}>
      <div class="keys">
        {KEYS.map(([title, keys]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {keys.map(([key, what]) => (
                <div key={key + what}>
                  <dt>{key}</dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
      <p class="muted">
        eie {workspace.value?.version} · <a href="/api/v1/docs">HTTP API</a> ·{" "}
        <a href="./licences.txt">licences</a>
      </p>
    </Dialog>
  );
}
