/** The tools, how a click changes the selection, and what the tool in hand can be told. */

import {
  Hand,
  type IconNode,
  LassoSelect,
  MousePointer2,
  Paintbrush,
  Square,
  SquaresSubtract,
  SquaresUnite,
  SquareDashed,
} from "lucide";
import { boxTakes, brushSize, mode, type Tool, tool } from "../store";
import type { Mode } from "../core/selection";
import { Button } from "./Button";

const TOOLS: readonly { tool: Tool; name: string; keys: string; icon: IconNode }[] = [
  { tool: "select", name: "Select and move", keys: "V", icon: MousePointer2 },
  { tool: "box", name: "Select by a box", keys: "M", icon: SquareDashed },
  { tool: "lasso", name: "Select by a lasso", keys: "L", icon: LassoSelect },
  { tool: "brush", name: "Select by a brush", keys: "P", icon: Paintbrush },
  { tool: "hand", name: "Move the view", keys: "H", icon: Hand },
];

const MODES: readonly { mode: Mode; name: string; keys?: string; icon: IconNode }[] = [
  { mode: "new", name: "A click selects anew", icon: Square },
  { mode: "add", name: "A click adds", keys: "Shift", icon: SquaresUnite },
  { mode: "remove", name: "A click takes away", keys: "Alt", icon: SquaresSubtract },
];

export function Tools() {
  return (
    <nav class="tools" aria-label="Tools">
      <div class="tool-group" role="group" aria-label="Tool">
        {TOOLS.map((each) => (
          <Button
            key={each.tool}
            name={each.name}
            icon={each.icon}
            keys={each.keys}
            pressed={tool.value === each.tool}
            onClick={() => (tool.value = each.tool)}
          />
        ))}
      </div>
      <div class="tool-group" role="group" aria-label="What a click does to the selection">
        {MODES.map((each) => (
          <Button
            key={each.mode}
            name={each.name}
            icon={each.icon}
            {...(each.keys ? { keys: each.keys } : {})}
            pressed={mode.value === each.mode}
            onClick={() => (mode.value = each.mode)}
          />
        ))}
      </div>
    </nav>
  );
}

/** Settings of the tool in hand, above the canvas. */
export function ToolOptions() {
  if (tool.value === "brush") {
    return (
      <div class="tool-options">
        <label>
          Brush
          <input
            type="range"
            min={4}
            max={160}
            value={brushSize.value}
            onInput={(event) => (brushSize.value = Number(event.currentTarget.value))}
          />
          <span class="number">{brushSize.value} px</span>
        </label>
      </div>
    );
  }
  if (tool.value !== "box") return null;
  return (
    <div class="tool-options" role="group" aria-label="What a box takes">
      <Button
        name="The object in the box"
        pressed={boxTakes.value === "object"}
        kind="quiet"
        onClick={() => (boxTakes.value = "object")}
      />
      <Button
        name="Everything in it"
        pressed={boxTakes.value === "all"}
        kind="quiet"
        onClick={() => (boxTakes.value = "all")}
      />
    </div>
  );
}
