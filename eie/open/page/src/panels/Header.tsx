/** The bar above: which photo, undo and redo, how it is seen, and saving. */

import {
  Columns2,
  Download,
  Images,
  Keyboard,
  Maximize,
  Redo2,
  RotateCcw,
  Shuffle,
  Undo2,
  ZoomIn,
  ZoomOut,
} from "lucide";
import { redo, reset, undo } from "../actions/editing";
import { fit, zoomBy } from "../stage/navigating";
import {
  divider,
  doc,
  helpOpen,
  isEdited,
  photosOpen,
  saveOpen,
  variationsOpen,
  view,
} from "../store";
import { Button } from "./Button";

export function Header() {
  const current = doc.value;
  const name = current?.photo ?? current?.file ?? "";
  return (
    <header class="header">
      <div class="header-part">
        <Button name="Photos" icon={Images} named onClick={() => (photosOpen.value = true)} />
        <h1 class="file" title={current?.file}>
          {name}
        </h1>
      </div>
      <div class="header-part" role="toolbar" aria-label="History">
        <Button
          name="Undo"
          icon={Undo2}
          keys="Ctrl+Z"
          disabled={!isEdited.value}
          onClick={() => void undo()}
        />
        <Button
          name="Redo"
          icon={Redo2}
          keys="Ctrl+Shift+Z"
          disabled={!current?.undone.length}
          onClick={() => void redo()}
        />
        <span class="only-wide">
          <Button
            name="Back to the photo"
            icon={RotateCcw}
            disabled={!isEdited.value}
            onClick={() => void reset()}
          />
        </span>
      </div>
      <div class="header-part only-wide" role="toolbar" aria-label="View">
        <Button name="Zoom out" icon={ZoomOut} keys="-" onClick={() => zoomBy(0.8)} />
        <button type="button" class="button named zoom" title="Show 1:1 (1)" onClick={() => zoomBy(1 / view.value.scale)}>
          {Math.round(100 * view.value.scale)} %
        </button>
        <Button name="Zoom in" icon={ZoomIn} keys="+" onClick={() => zoomBy(1.25)} />
        <Button
          name="Fit the window"
          icon={Maximize}
          keys="0"
          onClick={fit}
        />
      </div>
      <div class="header-part end">
        <Button
          name="Before and after"
          icon={Columns2}
          pressed={divider.value !== null && isEdited.value}
          disabled={!isEdited.value}
          onClick={() => (divider.value = divider.value === null ? 0.5 : null)}
        />
        <Button
          name="Variations of the fill"
          icon={Shuffle}
          disabled={!isEdited.value}
          onClick={() => (variationsOpen.value = true)}
        />
        <span class="only-wide">
          <Button name="Keys" icon={Keyboard} keys="?" onClick={() => (helpOpen.value = true)} />
        </span>
        <Button
          name="Save"
          icon={Download}
          named
          kind="main"
          keys="Ctrl+S"
          disabled={!current}
          onClick={() => (saveOpen.value = true)}
        />
      </div>
    </header>
  );
}
