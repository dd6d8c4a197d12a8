/** On small screens: what can be done with the selection, under the thumb. */

import {
  BringToFront,
  CopyPlus,
  TrianglesCenterlineDashedVertical,
  SendToBack,
  SlidersHorizontal,
  Trash2,
  X,
} from "lucide";
import { afterEdits, bringToFront, duplicate, flip, remove, sendToBack } from "../actions/editing";
import { clear } from "../actions/selecting";
import { chosen, sheetOpen } from "../store";
import { Button } from "./Button";

export function ActionBar() {
  return (
    <div class="action-bar" role="toolbar" aria-label="Change what is selected">
      {chosen.value ? (
        <>
          <Button name="Delete" icon={Trash2} kind="danger" onClick={remove} />
          <Button name="Duplicate" icon={CopyPlus} onClick={() => duplicate()} />
          <Button name="Flip across" icon={TrianglesCenterlineDashedVertical} onClick={() => flip("h")} />
          <Button name="To the front" icon={BringToFront} onClick={bringToFront} />
          <Button name="To the back" icon={SendToBack} onClick={sendToBack} />
          <Button name="Let go" icon={X} onClick={() => afterEdits(clear)} />
        </>
      ) : (
        <span class="muted hint">Tap what you want to change.</span>
      )}
      <span class="gap" />
      <Button
        name="More"
        icon={SlidersHorizontal}
        pressed={sheetOpen.value}
        onClick={() => (sheetOpen.value = !sheetOpen.value)}
      />
    </div>
  );
}
