/** The page. */

import { useEffect, useState } from "preact/hooks";
import { finishNudge } from "./actions/editing";
import { start, upload } from "./actions/opening";
import { ActionBar } from "./panels/ActionBar";
import { Button } from "./panels/Button";
import { Header } from "./panels/Header";
import { Help } from "./panels/Help";
import { GroupList, HistoryList } from "./panels/Lists";
import { Notices } from "./panels/Notices";
import { Photos } from "./panels/Photos";
import { Save } from "./panels/Save";
import { SelectionPanel } from "./panels/SelectionPanel";
import { ToolOptions, Tools } from "./panels/Tools";
import { Variations } from "./panels/Variations";
import { keyDown, keysLost, keyUp } from "./stage/keys";
import { Stage } from "./stage/Stage";
import {
  busy,
  editing,
  helpOpen,
  photosOpen,
  saveOpen,
  sheetOpen,
  variationsOpen,
} from "./store";
import { X } from "lucide";

export function App() {
  useEffect(() => {
    addEventListener("keydown", keyDown);
    addEventListener("keyup", keyUp);
    addEventListener("blur", keysLost);
    addEventListener("pagehide", finishNudge);
    void start();
    return () => {
      removeEventListener("keydown", keyDown);
      removeEventListener("keyup", keyUp);
      removeEventListener("blur", keysLost);
      removeEventListener("pagehide", finishNudge);
    };
  }, []);
  const [dropping, setDropping] = useState(false);
  const over = (event: DragEvent): void => {
    event.preventDefault();
    setDropping(true);
  };
  const drop = (event: DragEvent): void => {
    event.preventDefault();
    setDropping(false);
    const file = event.dataTransfer?.files[0];
    if (file) void upload(file);
  };
  return (
    <div
      class={dropping ? "page dropping" : "page"}
      onDragOver={over}
      onDragLeave={(event) => event.relatedTarget === null && setDropping(false)}
      onDrop={drop}
    >
      <Header />
      <Tools />
      <main class="middle" aria-busy={editing.value > 0 || busy.value !== null}>
        <ToolOptions />
        <Stage />
        <Notices />
      </main>
      <ActionBar />
      <aside class={sheetOpen.value ? "side open" : "side"} aria-label="Selection, groups and history">
        <div class="sheet-close">
          <Button name="Close" icon={X} kind="quiet" onClick={() => (sheetOpen.value = false)} />
        </div>
        <SelectionPanel />
        <GroupList />
        <HistoryList />
      </aside>
      {photosOpen.value && <Photos />}
      {saveOpen.value && <Save />}
      {variationsOpen.value && <Variations />}
      {helpOpen.value && <Help />}
    </div>
  );
}
